"""Searching a filled index through Searcher."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rag.errors import ConfigError, InputError
from rag.search import Searcher, check_question
from rag.settings import Settings, load_settings
from rag.types import Hit


@pytest.fixture
def settings(filled: Path) -> Settings:
    return load_settings(filled / "plumbline.toml")


def search(settings: Settings, question: str, *, limit: int | None = None) -> list[Hit]:
    return Searcher.from_settings(settings).search(question, limit=limit)


def test_the_best_hit_comes_first_with_the_score_of_every_stage(settings: Settings) -> None:
    hits = search(settings, "How many days may be carried over?")
    assert hits[0].chunk.uri == "docs/hr/leave.md"
    assert hits[0].chunk.headings == ("Carrying over",)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        assert {"dense", "lexical", "fused"} <= set(hit.scores)
        assert -1.001 <= hit.scores["dense"] <= 1.001
        assert hit.scores["lexical"] >= 0


def test_a_table_is_found_by_its_cells(settings: Settings) -> None:
    assert search(settings, "hotel limit in Zurich")[0].chunk.uri == "docs/limits.csv"


def test_the_limit_is_kept(settings: Settings) -> None:
    assert len(search(settings, "leave travel hotel", limit=2)) == 2
    assert 2 < len(search(settings, "leave travel hotel")) <= settings.retrieve.limit


def test_asking_twice_finds_the_same(settings: Settings) -> None:
    assert search(settings, "train tickets") == search(settings, "  train tickets\n")


def test_words_nobody_wrote_still_find_the_nearest(settings: Settings) -> None:
    assert len(search(settings, "zxqv wvut")) > 0


def test_the_same_text_twice_is_one_hit(project: Path, corpus: Path) -> None:
    from ingest.pipeline import ingest

    (corpus / "copy.md").write_text((corpus / "travel.md").read_text())
    settings = load_settings(project / "plumbline.toml")
    list(ingest([corpus], settings=settings))
    texts = [hit.chunk.text for hit in search(settings, "kilometre private car")]
    assert len(texts) == len(set(texts))


def test_an_empty_index_finds_nothing_and_leaves_nothing(project: Path) -> None:
    assert search(load_settings(project / "plumbline.toml"), "leave") == []
    assert [path.name for path in project.iterdir()] == ["plumbline.toml"]


def test_an_index_keeps_the_embedder_and_the_language_it_was_made_with(settings: Settings) -> None:
    roles = settings.roles.model_copy(update={"embed": "scripted:other"})
    retrieve = settings.retrieve.model_copy(update={"language": "german"})
    other = settings.model_copy(update={"roles": roles, "retrieve": retrieve})
    assert search(other, "leave") == search(settings, "leave")


def test_a_language_nobody_stems_is_refused(settings: Settings, tmp_path: Path) -> None:
    retrieve = settings.retrieve.model_copy(update={"language": "klingon"})
    with pytest.raises(ConfigError, match="klingon"):
        search(settings.model_copy(update={"retrieve": retrieve, "root": tmp_path / "new"}), "leave")


@pytest.mark.parametrize("question", ["", "   ", "\n\t\u00a0"])
def test_an_empty_question_is_refused(settings: Settings, question: str) -> None:
    with pytest.raises(InputError, match="the question is empty"):
        search(settings, question)


def test_a_question_as_long_as_the_limit_is_taken(settings: Settings) -> None:
    limit = settings.limits.question_chars
    assert search(settings, "leave " * (limit // 6))
    with pytest.raises(InputError, match=rf"has {limit + 1:,} characters; expected at most limits\.question_chars"):
        search(settings, "x" * (limit + 1))


@pytest.mark.parametrize("question", ["leave \udcff days", "\ud800", "leave \x00\x1b[31m", "🙂", "\u202egninnur"])
def test_odd_characters_are_no_trouble(settings: Settings, question: str) -> None:
    assert search(settings, question)


def test_a_question_is_text_that_can_be_written() -> None:
    assert check_question(" a\udcff ", max_chars=9) == "a?"


def test_threads_share_a_searcher(settings: Settings) -> None:
    searcher, found = Searcher.from_settings(settings), list[list[Hit]]()
    threads = [threading.Thread(target=lambda: found.append(searcher.search("train tickets"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5
    assert all(hits == found[0] for hits in found)
