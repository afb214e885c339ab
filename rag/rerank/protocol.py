"""What every reranker does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from rag.errors import ModelError
from rag.types import Hit


class Reranker(Protocol):
    """Reads the best hits again, together with the question. `name` is the stage in traces and explanations."""

    @property
    def name(self) -> str:
        """A word or 'provider:class'."""

    def scores(self, question: str, hits: Sequence[Hit]) -> list[float] | None:
        """How well each hit answers the question, in any unit, higher is better; None to leave them as they are.

        Raises ModelError.
        """


def checked_scores(reranker: Reranker, question: str, hits: Sequence[Hit]) -> list[float] | None:
    """The scores of a reranker, which may be foreign; raises ModelError unless they are numbers, one a hit."""
    scores = reranker.scores(question, hits)
    if scores is None:
        return None
    if len(scores) != len(hits) or not all(map(math.isfinite, scores)):
        raise ModelError(
            f"the reranker {reranker.name} gave {len(scores)} scores for {len(hits)} hits",
            expected="a finite number for each",
            remedy="check that it is a reranker",
        )
    return scores
