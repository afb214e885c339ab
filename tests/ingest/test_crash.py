"""Kill -9 at any moment and start again: the index ends up as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from rag.search import Searcher
from rag.settings import Settings, load_settings
from rag.types import Chunk

KILLS = int(os.environ.get("PLUMB_TEST_KILLS", "12"))
DOCUMENTS = 30
# Every paragraph of a document names its revision, so that a mixture of two would show; each is a chunk.
PARAGRAPHS = 20
# The first document takes several groups of the pipeline.
LONG = 600


def write_documents(folder: Path, revision: int) -> None:
    """The documents as they are in a revision: a third changes with it, some go, some come."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(DOCUMENTS):
        is_away = number % 5 == revision % 5
        stamp = revision if number % 3 == 0 else 0
        if not is_away:
            count = LONG if number == 0 else PARAGRAPHS
            paragraphs = [
                f"Paragraph {p} of document {number}, revision {stamp}. " + "word " * 60 for p in range(count)
            ]
            (folder / f"{number}.md").write_text("\n\n".join([f"# Document {number}", *paragraphs]))


def chunks(settings: Settings) -> list[Chunk]:
    searcher = Searcher.from_settings(settings)
    found = sorted(searcher.index.store.chunks(), key=lambda chunk: (chunk.uri, chunk.position))
    searcher.index.store.close()
    return found


def revisions(found: list[Chunk]) -> dict[str, set[str]]:
    seen: dict[str, set[str]] = defaultdict(set)
    for chunk in found:
        seen[chunk.uri].add(chunk.revision)
    return seen


def ingest_command(project: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "rag.cli", "ingest", "docs"],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def by_document(found: list[Chunk]) -> dict[str, set[str]]:
    return {uri: {chunk.id for chunk in found if chunk.uri == uri} for uri in {chunk.uri for chunk in found}}


def check_moment(found: list[Chunk], before: dict[str, set[str]], after: dict[str, set[str]]) -> None:
    """Each document answers whole, as it was before the run or as it is after it."""
    assert all(len(seen) == 1 for seen in revisions(found).values())
    now = by_document(found)
    for uri, ids in now.items():
        assert ids in (before.get(uri), after.get(uri)), f"{uri} is not whole"
    assert before.keys() & after.keys() <= now.keys()


@pytest.fixture
def uninterrupted(project: Path, tmp_path: Path) -> dict[int, list[Chunk]]:
    """The chunks of an index that was filled in one go, by revision of the documents."""
    twin = tmp_path / "twin"
    shutil.copytree(project, twin)
    found: dict[int, list[Chunk]] = {}
    for revision in (0, 1, 2):
        write_documents(twin / "docs", revision)
        assert ingest_command(twin).wait(timeout=60) == 0
        found[revision] = chunks(load_settings(twin / "plumbline.toml"))
    return found


def test_killed_at_any_moment(project: Path, uninterrupted: dict[int, list[Chunk]]) -> None:
    settings, draw, killed, revision = load_settings(project / "plumbline.toml"), random.Random(5), 0, 0  # noqa: S311
    while killed < KILLS:
        revision = (revision + 1) % 3
        write_documents(project / "docs", revision)
        before, after = by_document(chunks(settings)), by_document(uninterrupted[revision])
        run = ingest_command(project)
        end = time.monotonic() + draw.uniform(0.3, 1.6)
        while time.monotonic() < end:
            check_moment(chunks(settings), before, after)
        run.send_signal(signal.SIGKILL)
        killed += run.wait() == -signal.SIGKILL
        check_moment(chunks(settings), before, after)
        assert ingest_command(project).wait(timeout=60) == 0
        assert chunks(settings) == uninterrupted[revision]


def test_two_runs_at_once_wait_for_each_other(project: Path, uninterrupted: dict[int, list[Chunk]]) -> None:
    write_documents(project / "docs", 1)
    runs = [ingest_command(project) for _ in range(2)]
    settings = load_settings(project / "plumbline.toml")
    seen: set[str] = set()
    while any(run.poll() is None for run in runs):
        found = chunks(settings)
        check_moment(found, {}, by_document(uninterrupted[1]))
        assert seen <= {chunk.uri for chunk in found}, "the second run hides what the first one wrote"
        seen |= {chunk.uri for chunk in found}
    assert [run.returncode for run in runs] == [0, 0]
    assert chunks(settings) == uninterrupted[1]
