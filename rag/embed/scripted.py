"""An offline double: vectors from a hash of the words. It finds shared words, not meaning."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from rag.embed.protocol import Matrix, unit

DIMENSION = 64


class ScriptedEmbedder:
    """For tests of applications: instant, the same everywhere, no model file."""

    def __init__(self, name: str) -> None:
        """`name` is 'scripted:anything'."""
        self.name = name
        self.dimension = DIMENSION
        self.max_tokens = 256

    def count(self, text: str) -> int:
        """Words of a text."""
        return len(text.split())

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors: each word adds 1 to the place its hash names (the hashing trick)."""
        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % DIMENSION] += 1
        return unit(vectors)
