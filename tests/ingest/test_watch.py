"""Waiting for documents to change."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest
import watchfiles

from ingest.sources.watch import changes
from rag.settings import Settings

SOON_S = 5.0
QUIET_S = 0.1


@contextmanager
def watching(root: Path, *places: str, interval_s: float = 300) -> Iterator[Queue[float]]:
    """A thread that watches; its queue holds the times at which something may have changed."""
    told: Queue[float] = Queue()
    stop = threading.Event()
    settings = Settings(root=root, ingest={"watch_quiet_s": QUIET_S, "watch_interval_s": interval_s})  # type: ignore[arg-type]

    def run() -> None:
        for _ in changes(places, settings=settings, stop=stop):
            told.put(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        told.get(timeout=SOON_S)
        yield told
    finally:
        stop.set()
        thread.join(timeout=SOON_S)
        assert not thread.is_alive()


def silent(told: Queue[float], seconds: float = 1.2) -> bool:
    with pytest.raises(Empty):
        told.get(timeout=seconds)
    return True


@pytest.fixture
def docs(project: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return corpus


@pytest.mark.parametrize("place", ["docs", ".", "docs/**/*.md"])
def test_changes_in_folders_are_told(project: Path, docs: Path, place: str) -> None:
    with watching(project, place) as told:
        (docs / "new.md").write_text("# New\n")
        told.get(timeout=SOON_S)
        (docs / "hr" / "leave.md").unlink()
        told.get(timeout=SOON_S)
        (docs / "deep").mkdir()
        told.get(timeout=SOON_S)


def test_many_changes_at_once_are_told_once(project: Path, docs: Path) -> None:
    with watching(project, "docs") as told:
        for number in range(50):
            (docs / f"{number}.md").write_text("x")
        told.get(timeout=SOON_S)
        assert silent(told)


def test_hidden_files_and_the_index_itself_are_no_changes(project: Path, docs: Path) -> None:
    with watching(project, ".") as told:
        (project / ".plumb").mkdir()
        (project / ".plumb" / "traces.db").write_text("x")
        (docs / ".swap").write_text("x")
        assert silent(told)


def test_an_index_that_is_not_hidden_is_no_change(project: Path, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMB_DATA_DIR", "data")
    (project / "data").mkdir()
    with watching(project, ".") as told:
        (project / "data" / "traces.db").write_text("x")
        assert silent(told)


def test_a_file_is_watched_through_replacement_and_removal(project: Path, docs: Path) -> None:
    file = docs / "travel.md"
    with watching(project, "docs/travel.md") as told:
        (docs / "limits.csv").write_text("other")
        assert silent(told)
        (docs / "x").write_text("# New\n")
        (docs / "x").replace(file)
        told.get(timeout=SOON_S)
        file.unlink()
        told.get(timeout=SOON_S)


def test_a_system_without_watches_left_is_polled(project: Path, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = watchfiles.watch

    def watch(*paths: Path, force_polling: bool | None, **options: Any) -> Any:
        if not force_polling:
            raise OSError(28, "No space left on device")
        return real(*paths, force_polling=True, **options)

    monkeypatch.setattr(watchfiles, "watch", watch)
    with watching(project, "docs") as told:
        (docs / "new.md").write_text("# New\n")
        told.get(timeout=SOON_S)


def test_a_folder_that_comes_later_is_watched(project: Path) -> None:
    with watching(project, "later", interval_s=0.8) as told:
        (project / "later").mkdir()
        (project / "later" / "a.md").write_text("x")
        told.get(timeout=SOON_S)


def test_places_that_tell_nothing_are_looked_at_again(project: Path) -> None:
    with watching(project, "memory://bucket", interval_s=0.8) as told:
        first = told.get(timeout=SOON_S)
        assert 0.5 < told.get(timeout=SOON_S) - first < 3
