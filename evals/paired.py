"""Two versions of an index on the same questions: the paired difference of what they find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evals.metrics import recall, reciprocal_rank
from rag.case import Case
from rag.errors import InputError
from rag.search import Searcher, standing_alone
from rag.types import Hit

Score = Callable[[Case, Sequence[str]], float]
RESAMPLES = 10_000
SCORES: dict[str, Score] = {
    "recall@1": lambda case, uris: recall(case, uris, depth=1),
    "recall@5": lambda case, uris: recall(case, uris, depth=5),
    "reciprocal rank": reciprocal_rank,
}


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
    found = [
        (
            _uris(first.search(standing_alone(case.question, case.history))),
            _uris(second.search(standing_alone(case.question, case.history))),
        )
        for case in asked
    ]
    return [
        difference(
            name,
            np.array([score(case, ours) for case, (ours, _) in zip(asked, found, strict=True)]),
            np.array([score(case, theirs) for case, (_, theirs) in zip(asked, found, strict=True)]),
        )
        for name, score in SCORES.items()
    ]


def difference(name: str, first: np.ndarray, second: np.ndarray) -> Difference:
    """Of a score on the same questions on both sides.

    With a bootstrap interval over the questions: Efron and Tibshirani, An Introduction to the Bootstrap (1993).
    """
    gained = second - first
    draws = np.random.default_rng(0).integers(0, len(gained), size=(RESAMPLES, len(gained)))
    low, high = np.percentile(gained[draws].mean(axis=1), [2.5, 97.5])
    return Difference(
        score=name,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=float(gained.mean()),
        low=float(low),
        high=float(high),
        better=int((gained > 0).sum()),
        worse=int((gained < 0).sum()),
        cases=len(gained),
    )


def _uris(hits: Sequence[Hit]) -> list[str]:
    return [hit.chunk.uri for hit in hits]
