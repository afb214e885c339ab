"""Small passages are found, their parents are read: through a real index."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Plumb, fine, parsed

from ingest.pipeline import ingest
from rag.engine import Engine
from rag.search import Searcher
from rag.settings import Settings, load_settings
from rag.widen import widened

PUMPS = "# Pumps\n\n" + " ".join(
    f"The pump of hall {n} stands beside gate {n} and is looked after by crew number {n} every week." for n in range(12)
)
PARENTS = '\n[ingest]\nchunking = "parent"\nchunk_tokens = 40\nparent_tokens = 110\n'


@pytest.fixture
def told(project: Path, corpus: Path) -> Settings:
    """Settings of a project whose index holds parents; one document is long enough to have some."""
    (corpus / "pumps.md").write_text(PUMPS)
    config = project / "plumbline.toml"
    config.write_text(config.read_text() + PARENTS)
    settings = load_settings(config)
    list(ingest([corpus], settings=settings))
    return settings


def test_a_hit_is_widened_to_its_parent_and_siblings_are_folded(told: Settings) -> None:
    searcher = Searcher.from_settings(told)
    hits = searcher.search("crew of the pump of hall 7")
    read = widened(hits, searcher.index.store)
    assert "hall 7" in hits[0].chunk.text
    assert hits[0].chunk.text in read[0].chunk.text.replace("\n", " ")
    assert len(read[0].chunk.text) > 1.5 * len(hits[0].chunk.text)
    assert (read[0].chunk.id, read[0].score) == (hits[0].chunk.id, hits[0].score)
    pumps = [hit.chunk.text for hit in read if hit.chunk.uri.endswith("pumps.md")]
    assert len(pumps) < sum(hit.chunk.uri.endswith("pumps.md") for hit in hits)
    assert sum(text.count("hall 7 ") for text in pumps) == 1


@pytest.fixture
def short(project: Path, corpus: Path) -> Searcher:
    """A search over short chunks without parents."""
    (corpus / "pumps.md").write_text(PUMPS)
    config = project / "plumbline.toml"
    config.write_text(config.read_text() + "\n[ingest]\nchunk_tokens = 40\n")
    settings = load_settings(config)
    list(ingest([corpus], settings=settings))
    return Searcher.from_settings(settings)


def test_a_hit_is_read_with_its_neighbours_and_nothing_twice(short: Searcher) -> None:
    hits = [hit for hit in short.search("crew of the pump of hall 7") if hit.chunk.uri.endswith("pumps.md")]
    alone = widened(hits, short.index.store, neighbours=0)
    assert alone == hits
    read = widened(hits, short.index.store, neighbours=1)
    assert read[0].chunk.text.count("\n") == 2
    assert hits[0].chunk.text in read[0].chunk.text
    lines = [line for hit in read for line in hit.chunk.text.split("\n")]
    assert len(lines) == len(set(lines))
    assert {hit.chunk.text for hit in hits} <= set(lines)
    whole = widened(hits, short.index.store, neighbours=50)
    assert len(whole) == 1
    assert [whole[0].chunk.text.index(f"hall {n} ") for n in range(12)] == sorted(
        whole[0].chunk.text.index(f"hall {n} ") for n in range(12)
    )


def test_a_hit_whose_siblings_are_gone_stays_as_it_was_found(told: Settings) -> None:
    searcher = Searcher.from_settings(told)
    hit = searcher.search("crew of the pump of hall 7")[0]
    gone = replace(hit, chunk=replace(hit.chunk, revision="gone"))
    assert widened([gone], searcher.index.store) == [gone]


def test_a_hit_of_another_index_version_stays_as_it_was_found(told: Settings) -> None:
    searcher = Searcher.from_settings(told)
    hit = searcher.search("crew of the pump of hall 7")[0]
    other = replace(hit, chunk=replace(hit.chunk, text="The same id, cut in another way."))
    assert widened([other], searcher.index.store) == [other]


def test_the_model_reads_the_parent_and_the_check_sees_it(told: Settings) -> None:
    engine = Engine.from_settings(told)
    answer = engine.ask("Which crew looks after the pump of hall 7?")
    passage = next(p for p in answer.passages if "hall 7" in p.hit.chunk.text)
    assert "hall 5" in passage.hit.chunk.text or "hall 9" in passage.hit.chunk.text
    found = next(hit for hit in answer.hits if hit.chunk.id == passage.hit.chunk.id)
    assert len(found.chunk.text) < len(passage.hit.chunk.text)


def test_an_index_keeps_its_chunking(plumb: Plumb, filled: Path) -> None:
    config = filled / "plumbline.toml"
    config.write_text(config.read_text() + PARENTS)
    kept = plumb("ingest", "docs")
    assert "ingest.chunking title, now parent" in kept.stderr
    assert "ingest.parent_tokens 400, now 110" in kept.stderr
    fine(plumb("index", "build", "wide"))
    rows = parsed(plumb("index", "list", "--json"))
    assert [(row["name"], row["chunking"]) for row in rows] == [("v1", "title"), ("wide", "parent")]
