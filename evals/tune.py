"""Weights and depths of the search for a team's own questions, by cross-validation.

Each choice is judged on questions that had no part in choosing it: Stone, Cross-Validatory Choice and Assessment of
Statistical Predictions (1974).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product

import numpy as np

from evals.paired import Difference, difference
from evals.ranking import rank_scores
from evals.remember import RememberingEmbedder, RememberingReranker, RememberingStore
from rag.case import Case
from rag.errors import InputError
from rag.index import Index
from rag.rerank import Reranker, make_reranker
from rag.search import Searcher, standing_alone
from rag.settings import Settings

DENSE_WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
RERANK_WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8)
DEPTHS = (20, 50, 100)
FOLDS = 5
# With fewer questions a fold holds hardly any.
LEAST_CASES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Settings of [retrieve] that are tried together."""

    dense_weight: float
    rerank_weight: float
    depth: int

    @classmethod
    def of(cls, settings: Settings) -> Choice:
        """What is in force."""
        options = settings.retrieve
        return cls(dense_weight=options.dense_weight, rerank_weight=options.rerank_weight, depth=options.depth)

    def applied(self, settings: Settings) -> Settings:
        """The settings with this choice."""
        return settings.model_copy(update={"retrieve": settings.retrieve.model_copy(update=asdict(self))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """So many of all choices are tried."""

    done: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What is in force, what was found best on all questions, and what choosing so gains on questions not seen.

    `gain` is in reciprocal rank. It is real when its interval lies above zero.
    """

    now: Choice
    best: Choice
    gain: Difference

    @property
    def is_real(self) -> bool:
        """Whether a change is worth it."""
        return self.gain.low > 0 and self.best != self.now


def tune(searcher: Searcher, cases: Sequence[Case]) -> Iterator[Tried | Tuning]:
    """Try all choices on the cases that expect sources; the Tuning comes last. Raises InputError for too few."""
    asked = [case for case in cases if case.sources]
    if len(asked) < LEAST_CASES:
        raise InputError(
            f"{len(asked)} questions expect a source",
            expected=f"at least {LEAST_CASES}, so that a gain can be told from chance",
            remedy="write more, or take them from rated traces",
        )
    now, scores = Choice.of(searcher.settings), dict[Choice, np.ndarray]()
    index, reranker = _remembering(searcher)
    choices = _choices(now, has_reranker=reranker is not None)
    for choice in choices:
        chosen = Searcher(choice.applied(searcher.settings), index, reranker=reranker)
        scores[choice] = np.array([rank_scores(case, _uris(chosen, case))["mrr"] for case in asked])
        yield Tried(done=len(scores), of=len(choices))
    table = np.stack([scores[choice] for choice in choices])
    best = choices[int(table.mean(axis=1).argmax())]
    yield Tuning(now=now, best=best, gain=difference("reciprocal rank", scores[now], _unseen(table)))


def _choices(now: Choice, *, has_reranker: bool) -> list[Choice]:
    """Those of the grid, and what is in force first: of equal ones it stays."""
    weights = RERANK_WEIGHTS if has_reranker else (now.rerank_weight,)
    grid = [
        Choice(dense_weight=dense, rerank_weight=rerank, depth=depth)
        for dense, rerank, depth in product(DENSE_WEIGHTS, weights, DEPTHS)
    ]
    return [now, *(choice for choice in grid if choice != now)]


def _unseen(table: np.ndarray) -> np.ndarray:
    """For each question the score of the choice that is best on the other folds; a row of `table` is a choice."""
    fold = np.random.default_rng(0).permutation(table.shape[1]) % FOLDS
    unseen = np.empty(table.shape[1])
    for number in range(FOLDS):
        held_out = fold == number
        best = int(table[:, ~held_out].mean(axis=1).argmax())
        unseen[held_out] = table[best, held_out]
    return unseen


def _remembering(searcher: Searcher) -> tuple[Index, Reranker | None]:
    """The parts of the same search, quick to ask again."""
    index = searcher.index
    store = RememberingStore(index.store, depth=max(*DEPTHS, searcher.settings.retrieve.depth))
    reranker = make_reranker(searcher.settings, index.embedder)
    remembered = replace(index, store=store, embedder=RememberingEmbedder(index.embedder))
    return remembered, RememberingReranker(reranker) if reranker else None


def _uris(searcher: Searcher, case: Case) -> list[str]:
    return [hit.chunk.uri for hit in searcher.search(standing_alone(case.question, case.history))]
