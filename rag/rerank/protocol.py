"""What every reranker does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.types import Hit


class Reranker(Protocol):
    """Reads the best hits again, together with the question. `name` is the stage in traces and explanations."""

    @property
    def name(self) -> str:
        """A word or 'provider:class'."""

    def scores(self, question: str, hits: Sequence[Hit]) -> list[float]:
        """How well each hit answers the question, in any unit, higher is better. Raises ModelError."""
