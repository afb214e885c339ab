"""Parts that fail while an index is filled: the run reports, keeps what is done, and goes on the next time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import docx
import pytest

from ingest.library import Library
from ingest.pipeline import ingest
from ingest.progress import Document, Report, Started
from rag.embed import Matrix
from rag.embed.scripted import ScriptedEmbedder
from rag.errors import ModelError, StoreError
from rag.settings import Settings, load_settings


def configured(project: Path, **limits: Any) -> Settings:
    settings = load_settings(project / "plumbline.toml")
    return settings.model_copy(update={"ingest": settings.ingest.model_copy(update=limits)})


def failed(corpus: Path, settings: Settings) -> Document:
    documents = [event for event in ingest([corpus], settings=settings) if isinstance(event, Document)]
    found = [document for document in documents if document.outcome == "failed"]
    assert [document.uri for document in found] == ["docs/slow.docx"]
    assert len(documents) == 4
    return found[0]


@pytest.fixture
def slow(corpus: Path) -> Path:
    """A document whose parser takes a while to begin with."""
    document = docx.Document()
    document.add_paragraph("Some text.")
    document.save(str(corpus / "slow.docx"))
    return corpus


def test_a_parser_that_takes_too_long_is_ended(project: Path, slow: Path) -> None:
    assert "longer than ingest.parse_timeout_s = 1" in failed(slow, configured(project, parse_timeout_s=1.0)).reason


def test_a_parser_that_eats_memory_is_ended(project: Path, slow: Path) -> None:
    assert "ingest.parse_memory_mb = 140" in failed(slow, configured(project, parse_memory_mb=140)).reason


def test_an_embedder_that_fails_every_third_call(project: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, embed = count(1), ScriptedEmbedder.embed

    def flaky(self: ScriptedEmbedder, texts: Sequence[str]) -> Matrix:
        if next(calls) % 3 == 0:
            raise ModelError("busy", retryable=True)
        return embed(self, texts)

    monkeypatch.setattr(ScriptedEmbedder, "embed", flaky)
    monkeypatch.setattr("ingest.pipeline.RETRY_AFTER_S", (0.0, 0.0))
    monkeypatch.setattr("ingest.pipeline.GROUP_CHUNKS", 1)
    *_, report = ingest([corpus], settings=configured(project))
    assert isinstance(report, Report)
    assert (report.added, report.failed, report.total_chunks) == (3, 0, 4)


def test_a_store_that_breaks_loses_nothing_that_was_done(
    project: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag.store.edge import EdgeStore

    stages, stage = count(1), EdgeStore.stage

    def breaking(self: EdgeStore, entries: Any) -> None:
        if next(stages) == 2:
            raise StoreError("the disk is full")
        stage(self, entries)

    settings = configured(project)
    with monkeypatch.context() as patched:
        patched.setattr(EdgeStore, "stage", breaking)
        patched.setattr("ingest.pipeline.GROUP_CHUNKS", 1)
        with pytest.raises(StoreError, match="the disk is full"):
            list(ingest([corpus], settings=settings))
    assert len(Library(settings).manifest.records()) == 1
    *_, report = ingest([corpus], settings=settings)
    assert isinstance(report, Report)
    assert (report.added, report.unchanged, report.total_chunks) == (2, 1, 4)


def test_what_is_read_slowly_is_written_as_it_comes(
    project: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.pipeline.GROUP_S", 0.0)
    for number in range(10):
        (corpus / f"scan{number}.md").write_text(f"# Scan {number}\n\nPage {number} of a slow book.\n")
    settings = configured(project)
    run = ingest([corpus], settings=settings)
    assert isinstance(next(run), Started)
    assert isinstance(next(run), Document)
    run.close()
    assert 1 <= len(Library(settings).manifest.records()) < 13


def test_a_clock_that_jumps_changes_nothing(project: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configured(project)
    list(ingest([corpus], settings=settings))
    monkeypatch.setattr("ingest.manifest.time.time", lambda: 0.0)
    *_, report = ingest([corpus], settings=settings)
    assert isinstance(report, Report)
    assert report.unchanged == 3
    assert report.seconds >= 0


def test_what_failed_is_read_again_when_its_settings_changed(project: Path, corpus: Path) -> None:
    (corpus / "long.md").write_text("\n\n".join("word " * 150 for _ in range(20)))
    config = project / "plumbline.toml"
    before = config.read_text()
    config.write_text(f"{before}\n[ingest]\nmax_chunks = 10\n")
    for _ in range(2):
        *_, report = ingest([corpus], settings=load_settings(config))
        assert isinstance(report, Report)
        assert report.failed == 1
    (failure,) = Library(load_settings(config)).manifest.failures().values()
    assert not failure.retryable
    config.write_text(f"{before}\n[ingest]\nmax_chunks = 100\n")
    *_, report = ingest([corpus], settings=load_settings(config))
    assert isinstance(report, Report)
    assert (report.failed, report.added) == (0, 1)
