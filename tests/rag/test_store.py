"""Every store does the same: one set of tests for the embedded engine and for the server's client."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge
import qdrant_server
from qdrant_client import QdrantClient

from rag.embed.lexical import Lexical
from rag.errors import StoreError
from rag.store import Entry, Store
from rag.store.edge import EdgeStore
from rag.store.protocol import Scored
from rag.store.server import ServerStore, connect
from rag.types import Chunk, Revision, Sparse, Vectors

DIMENSION = 16
LEXICAL = Lexical("english")
WORDS = (
    "leave travel hotel train budget security laptop office parental training remote salary review invoice "
    "customer support release incident backup password badge visitor parking lunch bicycle pension holiday"
).split()

Make = Callable[..., Store]


@pytest.fixture(params=["edge", "memory", "loopback", "server"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Opens the same index again and again, by default as the embedder 'a:b'."""
    url = os.environ.get("PLUMB_TEST_QDRANT_URL", "")
    if request.param == "server" and not url:
        pytest.skip("PLUMB_TEST_QDRANT_URL names no server")
    client = QdrantClient(":memory:") if request.param == "memory" else None
    stack = ExitStack()
    url = stack.enter_context(qdrant_server.running()).url if request.param == "loopback" else url
    client = connect(url, api_key="", timeout_s=10) if request.param in ("loopback", "server") else client
    collection = f"test-{uuid.uuid4().hex}"

    def opened(embedder: str = "a:b", *, dimension: int = DIMENSION) -> Store:
        if client is None:
            return EdgeStore(tmp_path / "index", embedder=embedder, dimension=dimension, lock_timeout_s=5)
        return ServerStore(client, collection, embedder=embedder, dimension=dimension)

    yield opened
    if client is not None:
        client.delete_collection(collection)
        client.close()
    stack.close()


def revision(number: int, digest: str = "abc") -> Revision:
    """A document of one chunk."""
    return Revision(uri=f"docs/{number}.md", digest=digest, chunks=1)


def identifier(number: int) -> str:
    return next(revision(number).chunk_ids)


def write(store: Store, entries: Sequence[Entry]) -> None:
    """Stage and publish documents of one chunk each."""
    store.stage(entries)
    store.publish([Revision(uri=e.chunk.uri, digest=e.chunk.revision, chunks=1) for e in entries])


def entry(number: int, text: str, *, dense: Sequence[float] | None = None, digest: str = "abc") -> Entry:
    """The only chunk of a document, with this text; its dense vector is random, but always the same."""
    row = np.random.default_rng(number).normal(size=DIMENSION) if dense is None else np.array(dense, dtype=float)
    row = (row / np.linalg.norm(row)).astype(np.float32)
    chunk = Chunk(
        id=next(revision(number, digest).chunk_ids),
        uri=f"docs/{number}.md",
        title=f"Document {number} “ü”",
        headings=("One", "Two › three"),
        page=number or None,
        position=0,
        text=text,
        revision=digest,
    )
    return Entry(chunk=chunk, vectors=Vectors(dense=tuple(row.tolist()), lexical=LEXICAL.passage(text)))


def corpus(size: int) -> list[Entry]:
    """Random texts of a small vocabulary."""
    draw = np.random.default_rng(7)
    return [entry(i, " ".join(draw.choice(WORDS, size=int(draw.integers(4, 30))))) for i in range(1, size + 1)]


def question(text: str, *, seed: int = 99) -> Vectors:
    row = np.random.default_rng(seed).normal(size=DIMENSION)
    return Vectors(dense=tuple((row / np.linalg.norm(row)).tolist()), lexical=LEXICAL.question(text))


def bm25(entries: Sequence[Entry], asked: Sparse) -> dict[str, float]:
    """BM25 by hand: the stored term weights times the inverse document frequency as Qdrant defines it."""
    weights = {e.chunk.id: dict(zip(e.vectors.lexical.indices, e.vectors.lexical.values, strict=True)) for e in entries}
    found_in = Counter(term for terms in weights.values() for term in terms)
    total = len(entries)

    def idf(term: int) -> float:
        return math.log((total - found_in[term] + 0.5) / (found_in[term] + 0.5) + 1)

    return {i: sum(idf(term) * terms[term] for term in asked.indices if term in terms) for i, terms in weights.items()}


def cosines(entries: Sequence[Entry], asked: Vectors) -> dict[str, float]:
    return {e.chunk.id: float(np.dot(e.vectors.dense, asked.dense)) for e in entries}


def best(scores: dict[str, float], depth: int) -> set[str]:
    return set(sorted((i for i, score in scores.items() if score > 0), key=lambda i: -scores[i])[:depth])


def test_an_empty_store_answers(make: Make) -> None:
    store = make()
    assert store.count() == 0
    assert list(store.chunks()) == []
    assert store.score(question("leave"), depth=5) == []
    store.publish([], retired=[revision(1)])
    write(store, [])
    assert store.count() == 0


def test_chunks_come_back_as_they_were(make: Make) -> None:
    entries = [entry(i, f"leave {i} ünïcode \n two lines") for i in range(3)]
    write(make(), entries)
    again = make()
    assert again.count() == 3
    assert sorted(again.chunks(), key=lambda chunk: chunk.id) == [e.chunk for e in entries]


def test_more_chunks_than_a_page(make: Make) -> None:
    store = make()
    entries = [entry(i, "leave") for i in range(2100)]
    write(store, entries)
    assert {chunk.id for chunk in store.chunks()} == {e.chunk.id for e in entries}
    assert store.count() == 2100


def test_the_same_id_replaces(make: Make) -> None:
    store = make()
    write(store, [entry(1, "hotel hotel"), entry(2, "train")])
    write(store, [entry(1, "train ticket", dense=[1] * DIMENSION)])
    assert store.count() == 2
    assert {chunk.text for chunk in store.chunks()} == {"train ticket", "train"}
    found = {c.id: c for c in store.score(question("hotel"), depth=5)}
    assert found[identifier(1)].lexical == 0


def test_deleted_chunks_are_gone_and_unknown_ids_no_error(make: Make) -> None:
    store = make()
    write(store, corpus(5))
    store.publish([], retired=[revision(1), revision(2), revision(777)])
    store.publish([])
    assert store.count() == 3
    ids = {identifier(i) for i in (3, 4, 5)}
    assert {chunk.id for chunk in store.chunks()} == ids
    assert {c.id for c in store.score(question("leave travel"), depth=9)} == ids


@pytest.mark.parametrize("depth", [1, 4, 500])
def test_every_candidate_has_its_exact_score_in_both_legs(make: Make, depth: int) -> None:
    entries, asked = corpus(200), question("parental leave and the holiday budget")
    store = make()
    write(store, entries)
    dense, lexical = cosines(entries, asked), bm25(entries, asked.lexical)
    found = store.score(asked, depth=depth)
    near = set(sorted(dense, key=lambda i: -dense[i])[:depth])
    assert {c.id for c in found} == near | best(lexical, depth)
    for c in found:
        assert c.dense == pytest.approx(dense[c.id], abs=1e-5)
        assert c.lexical == pytest.approx(lexical[c.id], rel=1e-4, abs=1e-6)


def test_words_nobody_wrote_leave_the_dense_leg(make: Make) -> None:
    store = make()
    write(store, corpus(9))
    found = store.score(question("xylophone"), depth=3)
    assert len(found) == 3
    assert {c.lexical for c in found} == {0.0}
    assert len(store.score(question(""), depth=3)) == 3


def test_another_embedder_is_refused_in_reading_and_writing(make: Make) -> None:
    write(make(), corpus(2))
    other = make("c:d")
    for use in (other.count, lambda: write(other, corpus(1)), lambda: other.score(question("x"), depth=1)):
        with pytest.raises(StoreError) as refused:
            use()
        assert "a:b" in refused.value.seen
        assert "c:d" in refused.value.expected
        assert "roles.embed" in refused.value.remedy
    assert make().count() == 2


def test_both_stores_rank_a_corpus_alike(tmp_path: Path) -> None:
    edge: Store = EdgeStore(tmp_path / "index", embedder="a:b", dimension=DIMENSION, lock_timeout_s=5)
    client = QdrantClient(":memory:")
    server: Store = ServerStore(client, "x", embedder="a:b", dimension=DIMENSION)
    entries = corpus(300)
    for store in (edge, server):
        write(store, entries)
    for seed, asked in enumerate(("hotel budget", "password of the laptop", "bicycle parking for a visitor")):
        ranked = [ranking(store.score(question(asked, seed=seed), depth=20)) for store in (edge, server)]
        assert ranked[0] == ranked[1]
    client.close()


def ranking(found: Sequence[Scored]) -> list[tuple[str, float, float]]:
    rows = [(c.id, round(c.dense, 4), round(c.lexical, 3)) for c in found]
    return sorted(rows, key=lambda row: (-row[1] - row[2], row[0]))


# The embedded engine: a folder that processes share by taking turns.


def edge(folder: Path, *, lock_timeout_s: float = 5) -> EdgeStore:
    return EdgeStore(folder, embedder="a:b", dimension=DIMENSION, lock_timeout_s=lock_timeout_s)


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from test_store import edge, entry, write
for i in range(5):
    write(edge(Path(sys.argv[1]), lock_timeout_s=30), [entry(int(sys.argv[2]) + i, "leave")])
"""


def test_two_processes_take_turns(tmp_path: Path) -> None:
    here = Path(__file__).parent
    command = [sys.executable, "-c", WRITER, str(tmp_path / "index")]
    writers = [subprocess.Popen([*command, start, str(here), str(here.parent)]) for start in ("1000", "2000")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert edge(tmp_path / "index").count() == 10


def test_many_threads_share_a_store(tmp_path: Path) -> None:
    store, failures = edge(tmp_path / "index", lock_timeout_s=30), list[BaseException]()
    write(store, corpus(20))

    def work(number: int) -> None:
        try:
            write(store, [entry(100 + number, f"hotel {number}")])
            assert len(store.score(question("hotel leave"), depth=3)) >= 3
        except BaseException as error:  # noqa: BLE001 - whatever a thread raises is told below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.count() == 26


HOLDER = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(30)
"""


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_takes_turns_with_its_parent(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "index", embedder="a:b", dimension=DIMENSION, lock_timeout_s=20)
    write(store, corpus(3))
    forked = multiprocessing.get_context("fork").Process(target=write, args=[store, [entry(9, "leave")]])
    forked.start()
    while forked.is_alive():
        assert store.count() in (3, 4)
    forked.join()
    assert (forked.exitcode, store.count()) == (0, 4)


def test_waiting_for_another_process_ends(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write(edge(folder), corpus(2))
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, f"{folder}.lock"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        started = time.monotonic()
        with pytest.raises(StoreError, match=r"in use by another process.*store\.timeout_s = 0\.3 s"):
            edge(folder, lock_timeout_s=0.3).count()
        assert time.monotonic() - started < 3
    finally:
        holder.kill()
        holder.communicate()
    assert edge(folder).count() == 2  # the lock of a dead process holds nobody up


def test_a_folder_left_by_a_crash_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write(edge(folder), corpus(3))
    (folder / "plumbline.json").unlink()
    assert edge(folder).count() == 0
    write(edge(folder), corpus(2))
    assert edge(folder).count() == 2


@pytest.mark.parametrize("identity", [b"", b"{", b"[]", b"null", b"{}", b'"x"', b"\xff"])
def test_a_damaged_identity_is_a_store_error(tmp_path: Path, identity: bytes) -> None:
    folder = tmp_path / "index"
    write(edge(folder), corpus(2))
    (folder / "plumbline.json").write_bytes(identity)
    with pytest.raises(StoreError, match="can't use the index"):
        edge(folder).count()


def test_damaged_segments_are_a_store_error(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write(edge(folder), corpus(2))
    for file in folder.rglob("segment.json"):
        file.write_text("{")
    (folder / "edge_config.json").write_text("{")
    with pytest.raises(StoreError, match="can't use the index"):
        edge(folder).count()


def test_a_chunk_of_another_version_is_a_store_error() -> None:
    client = QdrantClient(":memory:")
    store = ServerStore(client, "x", embedder="a:b", dimension=DIMENSION)
    write(store, corpus(1))
    client.set_payload("x", {"surprise": 1}, points=[identifier(1)])
    with pytest.raises(StoreError, match="can't be read"):
        list(store.chunks())
    client.close()


def test_a_place_that_can_not_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="can't use the index"):
        write(edge(tmp_path / "file" / "index"), corpus(1))
    assert (tmp_path / "file").read_text() == "no folder"


def test_the_identity_names_the_embedder(tmp_path: Path) -> None:
    write(edge(tmp_path / "index"), corpus(1))
    identity = json.loads((tmp_path / "index" / "plumbline.json").read_text())
    assert identity == {"format": 3, "embedder": "a:b", "dimension": DIMENSION}


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    write(edge(tmp_path / "index"), corpus(1))
    (tmp_path / "index" / "plumbline.json").write_text(json.dumps({"embedder": "a:b", "dimension": DIMENSION}))
    with pytest.raises(StoreError, match="made by another version of plumb"):
        edge(tmp_path / "index").count()


def test_entries_are_not_changed_by_writing(make: Make) -> None:
    entries = corpus(3)
    copies = [replace(e) for e in entries]
    write(make(), entries)
    assert entries == copies


# Staged and published: a document answers from one revision at any moment.


def texts(store: Store) -> set[str]:
    """What a search for anything finds; `chunks` and `count` must agree with it."""
    ids = [one.id for one in store.score(question("hotel"), depth=99)]
    found = {chunk.text for chunk in store.retrieve(ids)}
    assert len(found) == len(ids)
    assert {chunk.text for chunk in store.chunks()} == found
    assert store.count() == len(found)
    return found


def test_staged_chunks_are_not_found_before_they_are_published(make: Make) -> None:
    store = make()
    store.stage([entry(1, "hotel")])
    assert texts(store) == set()
    assert store.retrieve([identifier(1)]) == []
    store.publish([revision(1)])
    assert texts(store) == {"hotel"}
    assert [chunk.text for chunk in store.retrieve([identifier(1), identifier(2)])] == ["hotel"]


def test_the_old_revision_answers_until_the_new_one_is_published(make: Make) -> None:
    store = make()
    write(store, [entry(1, "old hotel"), entry(2, "train")])
    store.stage([entry(1, "new hotel", digest="new")])
    assert texts(store) == {"old hotel", "train"}
    store.publish([revision(1, "new")], retired=[revision(1)])
    assert texts(make()) == {"new hotel", "train"}


def test_what_is_staged_can_be_discarded(make: Make) -> None:
    store = make()
    store.discard()
    write(store, [entry(1, "hotel")])
    store.stage([entry(2, "train"), entry(1, "new hotel", digest="new")])
    assert points(store) == 3
    store.discard()
    assert points(store) == 1
    assert texts(store) == {"hotel"}


def points(store: Store) -> int:
    """How many chunks there are, staged ones too."""
    if isinstance(store, EdgeStore):
        with store._turn() as opened:
            return int(opened.shard.count(qdrant_edge.CountRequest(exact=True)))
    assert isinstance(store, ServerStore)
    return store._client.count(store._collection).count
