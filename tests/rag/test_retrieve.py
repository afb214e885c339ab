"""Fusion, outdated documents, duplicates, and what fits the budget."""

from __future__ import annotations

import pytest

from rag.context import shown, whole
from rag.retrieve import demote, distinct, fuse
from rag.store.protocol import Candidate
from rag.types import Chunk


def candidate(name: str, dense: float, lexical: float, *, uri: str = "", text: str = "") -> Candidate:
    chunk = Chunk(
        id=name,
        uri=uri or f"{name}.md",
        title=name,
        headings=(),
        page=None,
        position=0,
        text=text or f"text of {name}",
        revision="0",
    )
    return Candidate(chunk=chunk, dense=dense, lexical=lexical)


def order(hits: object) -> list[str]:
    return [hit.chunk.id for hit in hits]  # type: ignore[attr-defined]


BOTH = (candidate("a", 0.9, 1.0), candidate("b", 0.5, 10.0), candidate("c", 0.1, 0.0))


def test_each_leg_alone_decides_at_the_ends_of_the_weight() -> None:
    assert order(fuse(BOTH, dense_weight=1)) == ["a", "b", "c"]
    assert order(fuse(BOTH, dense_weight=0)) == ["b", "a", "c"]


def test_a_hit_carries_the_score_of_every_stage() -> None:
    hit = fuse(BOTH, dense_weight=0.5)[0]
    assert hit.chunk.id == "b"
    assert hit.scores == pytest.approx({"dense": 0.5, "lexical": 10.0, "fused": 0.75})
    assert hit.score == pytest.approx(0.75)


@pytest.mark.parametrize(
    "only", [(candidate("a", 0.3, 0.0),), (candidate("a", -0.2, 0.0), candidate("b", -0.2, 0.0)), ()]
)
def test_degenerate_scores_are_no_problem(only: tuple[Candidate, ...]) -> None:
    assert len(fuse(only, dense_weight=0.5)) == len(only)


@pytest.mark.parametrize("uri", ["archive/leave.md", "hr/leave_archive.md", "Archive/2023.md"])
def test_an_outdated_document_steps_back(uri: str) -> None:
    hits = fuse((candidate("old", 0.9, 9, uri=uri), candidate("new", 0.8, 8), candidate("far", 0, 0)), dense_weight=0.5)
    assert order(hits)[0] == "old"
    moved = demote(hits, words=("archive",), factor=0.5)
    assert order(moved)[0] == "new"
    assert moved[1].scores["outdated"] == 0.5


def test_a_word_inside_another_is_not_meant() -> None:
    hits = fuse((candidate("a", 0.9, 9, uri="archives-of-science.md"),), dense_weight=0.5)
    assert demote(hits, words=("archive",), factor=0.5) == hits
    assert demote(hits, words=(), factor=0.5) == hits


def test_the_same_text_counts_once_and_the_higher_one_stays() -> None:
    twins = (candidate("a", 0.9, 9, text="Same  Text"), candidate("b", 0.8, 8, text="same text"))
    assert order(distinct(fuse(twins, dense_weight=0.5))) == ["a"]


def test_passages_fit_the_budget_and_the_first_always_comes() -> None:
    texts = ("one " * 50, "two " * 500, "three " * 30)
    hits = fuse([candidate(str(i), 1 - i / 10, 0, text=text) for i, text in enumerate(texts)], dense_weight=1)
    passages = whole(hits, budget_tokens=100, count=lambda text: len(text.split()))
    assert [passage.hit.chunk.id for passage in passages] == ["0", "2"]
    assert [passage.marker for passage in passages] == [1, 2]
    assert len(whole(hits[1:], budget_tokens=10, count=lambda text: len(text.split()))) == 1


def test_a_passage_is_shown_with_its_number_and_place() -> None:
    passage = whole(fuse(BOTH, dense_weight=1), budget_tokens=1, count=len)[0]
    assert shown(passage) == "[1] a\ntext of a"
