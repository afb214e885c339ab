"""The switch of a document of very many chunks: other processes get turns in between, and find one revision of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rag.store import Entry
from rag.store.edge import SLICE, EdgeStore
from rag.types import Chunk, Revision, Sparse, Vectors

CHUNKS = 2 * SLICE + 1_000
ASKED = Vectors(dense=(1.0, 0.0, 0.0, 0.0), lexical=Sparse(indices=(1,), values=(1.0,)))
MADE = tuple(Revision(uri="a.txt", digest=digest, chunks=CHUNKS) for digest in ("old", "new"))
# Searches until its input ends, and prints the revisions that each search found.
SEARCHER = """
import sys, threading
from pathlib import Path
from test_large_switch import ASKED, MADE, opened
ended = threading.Event()
named = {one: made.digest for made in MADE for one in made.chunk_ids}
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
store = opened(Path(sys.argv[1]), wait_s=5)
while not ended.is_set():
    print(*sorted({named[one.id] for one in store.score(ASKED, depth=20)}), flush=True)
"""


def opened(folder: Path, *, wait_s: float) -> EdgeStore:
    return EdgeStore(folder, embedder="a:b", dimension=4, lock_timeout_s=wait_s)


def staged(store: EdgeStore, made: Revision) -> None:
    entries = [
        Entry(
            chunk=Chunk(
                id=identifier,
                uri=made.uri,
                title="",
                headings=(),
                page=None,
                position=position,
                text="word",
                revision=made.digest,
            ),
            vectors=Vectors(dense=(1.0, position / CHUNKS, 0.5, 0.5), lexical=Sparse(indices=(1,), values=(1.0,))),
        )
        for position, identifier in enumerate(made.chunk_ids)
    ]
    for start in range(0, CHUNKS, 1_000):
        store.stage(entries[start : start + 1_000])


def test_searches_of_another_process_go_on(tmp_path: Path) -> None:
    old, new = MADE
    store = opened(tmp_path / "index", wait_s=60)
    staged(store, old)
    store.publish([old])
    staged(store, new)
    store.close()
    command = [sys.executable, "-c", SEARCHER, str(tmp_path / "index")]
    with subprocess.Popen(
        command, cwd=Path(__file__).parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as searcher:
        assert searcher.stdout is not None
        first = searcher.stdout.readline()
        store.publish([new], retired=[old])
        store.close()
        rest, _ = searcher.communicate("", timeout=60)
    found = [first, *rest.splitlines(keepends=True)]
    assert searcher.returncode == 0
    assert found == sorted(found, reverse=True)
    assert set(found) == {"old\n", "new\n"}
