"""BM25 term weights as sparse vectors; the store multiplies the inverse document frequency in.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), with k1 = 1.2, b = 0.75.
"""

from __future__ import annotations

from typing import Any

import qdrant_edge as qdrant

from rag.errors import ConfigError
from rag.types import Sparse

# Words of an average passage: the length at which BM25 neither rewards nor punishes.
AVERAGE_WORDS = 128


class Lexical:
    """Weighs the words of passages and questions for one language."""

    def __init__(self, language: str) -> None:
        """Raises ConfigError when there are no stemmer and stop words for `language`."""
        try:
            self._model: Any = qdrant.Bm25(qdrant.Bm25Config(language=language, avg_len=AVERAGE_WORDS))
        except ValueError as error:
            raise ConfigError(
                f"retrieve.language is '{language}': {error}",
                expected="a language name such as 'english' or 'german', or 'none'",
                remedy="change it in plumbline.toml",
            ) from None

    def passage(self, text: str) -> Sparse:
        """Weights of a passage's words."""
        return _sparse(self._model.embed_document(text))

    def question(self, text: str) -> Sparse:
        """Weight 1 for each word of a question."""
        return _sparse(self._model.embed_query(text))

    def terms(self, text: str) -> frozenset[int]:
        """The content words of a text, stemmed, as hashes: what two texts can share."""
        return frozenset(self._model.embed_query(text).indices)


def _sparse(vector: Any) -> Sparse:
    return Sparse(indices=tuple(vector.indices), values=tuple(vector.values))
