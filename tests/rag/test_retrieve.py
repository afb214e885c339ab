"""Fusion, second opinions, outdated documents, duplicates, and what fits the budget."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rag.context import shown, whole
from rag.distinct import LeftOut, distinct
from rag.fusion import fuse
from rag.retrieve import blend, demote
from rag.store.protocol import Scored
from rag.types import Chunk, Hit

Candidate = tuple[Scored, Chunk]


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
    return Scored(id=name, dense=dense, lexical=lexical), chunk


def fused(candidates: Sequence[Candidate], *, dense_weight: float) -> list[Hit]:
    chunks = {chunk.id: chunk for _, chunk in candidates}
    found = fuse([scored for scored, _ in candidates], depth=50, dense_weight=dense_weight)
    return [place.hit(chunks[place.id]) for place in found.places]


def order(hits: object) -> list[str]:
    return [hit.chunk.id for hit in hits]  # type: ignore[attr-defined]


BOTH = (candidate("a", 0.9, 1.0), candidate("b", 0.5, 10.0), candidate("c", 0.1, 0.0))


def test_each_leg_alone_decides_at_the_ends_of_the_weight() -> None:
    assert order(fused(BOTH, dense_weight=1)) == ["a", "b", "c"]
    assert order(fused(BOTH, dense_weight=0)) == ["b", "a", "c"]


def test_a_hit_carries_its_score_and_its_place_in_every_stage() -> None:
    weight = fuse([scored for scored, _ in BOTH], depth=50, dense_weight=0.5).dense_weight
    hit, *_, last = fused(BOTH, dense_weight=0.5)
    assert hit.chunk.id == "b"
    assert hit.score == pytest.approx(weight * 0.5 + 1 - weight)
    assert hit.scores == pytest.approx({"dense": 0.5, "lexical": 10.0, "fused": hit.score})
    assert hit.ranks == {"dense": 2, "lexical": 1, "fused": 1}
    assert "lexical" not in last.ranks


def leg(scores: Sequence[float]) -> list[float]:
    return [*scores, *[0.1] * (20 - len(scores))]


def test_the_leg_whose_best_hit_stands_out_counts_for_more() -> None:
    def weight(dense: Sequence[float], lexical: Sequence[float]) -> float:
        near = [Scored(id=f"d{i:02}", dense=score, lexical=0) for i, score in enumerate(leg(dense))]
        worded = [Scored(id=f"l{i:02}", dense=0.05, lexical=score) for i, score in enumerate(leg(lexical))]
        return fuse([*near, *worded], depth=20, dense_weight=0.5).dense_weight

    alike = weight([0.9], [0.9])
    assert weight([0.9], [0.9, 0.8, 0.8, 0.8, 0.8]) > alike > weight([0.9, 0.8, 0.8, 0.8, 0.8], [0.9])


def test_a_question_none_of_whose_words_is_there_is_for_the_dense_leg() -> None:
    scored = [Scored(id="a", dense=0.9, lexical=0), Scored(id="b", dense=0.1, lexical=0)]
    assert fuse(scored, depth=50, dense_weight=0.1).dense_weight == 1
    assert [place.id for place in fuse(scored, depth=1, dense_weight=0.1).places] == ["a"]


def test_a_second_opinion_moves_what_it_was_asked_about() -> None:
    hits = fused([candidate(name, 1 - i / 10, 0) for i, name in enumerate("abcd")], dense_weight=1)
    moved = blend(hits, [-3.0, 5.0, 1.0], stage="late", weight=0.5)
    assert order(moved) == ["b", "a", "c", "d"]
    assert [hit.ranks["late"] for hit in moved] == [1, 2, 3, 4]
    assert moved[0].scores["late"] == 5.0
    assert "late" not in moved[3].scores
    assert order(blend(hits, [1.0, 2.0, 3.0], stage="late", weight=1)) == ["c", "b", "a", "d"]
    assert order(blend(hits, [1.0, 2.0, 3.0], stage="late", weight=0)) == ["a", "b", "c", "d"]
    assert order(blend(hits, [7.0], stage="late", weight=0.5)) == ["a", "b", "c", "d"]
    assert blend([], [], stage="late", weight=0.5) == []


@pytest.mark.parametrize(
    "only", [(candidate("a", 0.3, 0.0),), (candidate("a", -0.2, 0.0), candidate("b", -0.2, 0.0)), ()]
)
def test_degenerate_scores_are_no_problem(only: tuple[Candidate, ...]) -> None:
    assert len(fused(only, dense_weight=0.5)) == len(only)


@pytest.mark.parametrize("uri", ["archive/leave.md", "hr/leave_archive.md", "Archive/2023.md"])
def test_an_outdated_document_steps_back(uri: str) -> None:
    hits = fused(
        (candidate("old", 0.9, 9, uri=uri), candidate("new", 0.8, 8), candidate("far", 0, 0)), dense_weight=0.5
    )
    assert order(hits)[0] == "old"
    moved = demote(hits, words=("archive",), factor=0.5)
    assert order(moved)[0] == "new"
    assert moved[1].scores["outdated"] == 0.5


def test_a_word_inside_another_is_not_meant() -> None:
    hits = fused((candidate("a", 0.9, 9, uri="archives-of-science.md"),), dense_weight=0.5)
    assert demote(hits, words=("archive",), factor=0.5) == hits
    assert demote(hits, words=(), factor=0.5) == hits


def test_the_same_text_counts_once_and_the_higher_one_stays() -> None:
    twins = (candidate("a", 0.9, 9, text="Same  Text"), candidate("b", 0.8, 8, text="same text"))
    assert order(kept(twins)) == ["a"]


def kept(candidates: Sequence[Candidate], *, per_document: int = 0) -> list[Hit]:
    ranked = fused(candidates, dense_weight=0.5)
    return [one for one in distinct(ranked, duplicate_at=0.9, per_document=per_document) if isinstance(one, Hit)]


TEXT = " ".join(f"word{'abcdefghijklmnopqrst'[i]}" for i in range(20))


@pytest.mark.parametrize(
    ("other", "is_shown"),
    [
        (TEXT.replace("wordb", "wordz"), False),
        (f"{TEXT}.", False),
        (TEXT.replace("wordb wordc wordd worde", "other words stand here"), True),
        (f"{TEXT} 12", True),
        (TEXT.replace("wordb", "Munich"), True),
        (f"{TEXT} not", True),
        (f"{TEXT} n'oubliez pas", True),
    ],
)
def test_a_near_duplicate_is_left_out_unless_a_number_a_name_or_a_negation_differs(other: str, is_shown: bool) -> None:
    two = (candidate("a", 0.9, 9, text=TEXT), candidate("b", 0.8, 8, text=other))
    assert order(kept(two)) == (["a", "b"] if is_shown else ["a"])


def test_of_a_document_come_as_many_hits_as_wanted_and_the_others_are_told() -> None:
    three = [candidate(name, 0.9 - i / 10, 0, uri="one.md") for i, name in enumerate("abc")]
    hits = fused([*three, candidate("d", 0, 0)], dense_weight=1)
    assert order(kept([*three, candidate("d", 0, 0)], per_document=2)) == ["a", "b", "d"]
    (left_out,) = [one for one in distinct(hits, duplicate_at=0.9, per_document=2) if isinstance(one, LeftOut)]
    assert (left_out.hit.chunk.id, left_out.reason) == (
        "c",
        "retrieve.per_document = 2 hits of its document stand above",
    )


def test_passages_fit_the_budget_and_the_first_always_comes() -> None:
    texts = ("one " * 50, "two " * 500, "three " * 30)
    hits = fused([candidate(str(i), 1 - i / 10, 0, text=text) for i, text in enumerate(texts)], dense_weight=1)
    passages = whole(hits, budget_tokens=100, count=lambda text: len(text.split()))
    assert [passage.hit.chunk.id for passage in passages] == ["0", "2"]
    assert [passage.marker for passage in passages] == [1, 2]
    assert len(whole(hits[1:], budget_tokens=10, count=lambda text: len(text.split()))) == 1


def test_a_passage_is_shown_with_its_number_and_place() -> None:
    passage = whole(fused(BOTH, dense_weight=1), budget_tokens=1, count=len)[0]
    assert shown(passage) == "[1] a\n> text of a"
