"""Two versions of an index on the same questions: the paired difference of what they find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.intervals import Sample, bootstrap
from evals.ranking import rank_scores
from rag.case import Case
from rag.errors import InputError
from rag.search import Searcher, standing_alone

RESAMPLES = 10_000
SCORES = {"recall@1": "recall_at_1", "recall@5": "recall_at_5", "nDCG@10": "ndcg_at_10", "reciprocal rank": "mrr"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The means of a score on both sides, and of second minus first with its 95 % interval.

    `better` and `worse` count the questions on which the second side is better or worse.
    """

    score: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    better: int
    worse: int
    cases: int


def compare(first: Searcher, second: Searcher, cases: Sequence[Case]) -> list[Difference]:
    """Every score over the cases that expect sources; follow-ups are asked with the question before them.

    Raises InputError when no case expects any.
    """
    asked = [case for case in cases if case.sources]
    if not asked:
        raise InputError("no question expects a source", expected="some that do", remedy="choose another file")
    scored = [(_scores(first, case), _scores(second, case)) for case in asked]
    return [
        difference(
            label,
            np.array([ours[name] for ours, _ in scored]),
            np.array([theirs[name] for _, theirs in scored]),
        )
        for label, name in SCORES.items()
    ]


def difference(name: str, first: np.ndarray, second: np.ndarray) -> Difference:
    """Of a score on the same questions on both sides, each of which stands for itself."""
    gained = second - first
    low, high = bootstrap(Sample(sums=gained, weights=np.ones(len(gained))))
    return Difference(
        score=name,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=float(gained.mean()),
        low=low,
        high=high,
        better=int((gained > 0).sum()),
        worse=int((gained < 0).sum()),
        cases=len(gained),
    )


def _scores(searcher: Searcher, case: Case) -> Mapping[str, float]:
    hits = searcher.search(standing_alone(case.question, case.history))
    return rank_scores(case, [hit.chunk.uri for hit in hits])
