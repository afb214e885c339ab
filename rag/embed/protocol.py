"""What every embedder does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors. `name` is 'provider:model' and tells whose vectors they are."""

    @property
    def name(self) -> str:
        """'provider:model'."""

    @property
    def dimension(self) -> int:
        """Width of the vectors."""

    @property
    def max_tokens(self) -> int:
        """Longest text that is not cut, in this model's tokens."""

    def count(self, text: str) -> int:
        """Tokens of a text, at most underestimated by nothing: a chunk that counts as fitting does fit."""

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors, one row a text, float32 of shape (len(texts), dimension). Raises ModelError."""


def unit(vectors: Matrix) -> Matrix:
    """Rows scaled to length 1; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


def guess_tokens(text: str) -> int:
    """An upper guess of a text's tokens where the model's tokenizer isn't at hand: a token per 3 UTF-8 bytes."""
    return math.ceil(len(text.encode()) / 3)
