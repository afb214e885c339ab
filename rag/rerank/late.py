"""Late interaction: each token of the question looks for its nearest token in a passage, with the index's own embedder.

It needs no further model and stores nothing: the passages that are compared are embedded anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.embed.maxsim import max_sim
from rag.embed.protocol import TokenEmbedder, reads
from rag.embed.question import windows
from rag.types import Hit


class LateInteraction:
    """A Reranker over the token vectors of an embedder."""

    name = "late"

    def __init__(self, embedder: TokenEmbedder) -> None:
        """Nothing is loaded before the first question."""
        self._embedder = embedder

    def scores(self, question: str, hits: Sequence[Hit]) -> list[float] | None:
        """The MaxSim of the question with each hit, -1 to 1; None where the embedder can't read the question.

        Raises ModelError.
        """
        if not reads(self._embedder, question):
            return None
        asked = windows(question, max_tokens=self._embedder.max_tokens, count=self._embedder.count)
        vectors = self._embedder.embed_tokens([*asked, *(hit.chunk.indexed_text for hit in hits)])
        tokens = np.concatenate(vectors[: len(asked)])
        return [max_sim(tokens, passage) for passage in vectors[len(asked) :]]
