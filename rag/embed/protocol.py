"""What every embedder does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelError

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


@runtime_checkable
class TokenEmbedder(Protocol):
    """An embedder that also gives the vectors of a text's tokens, for late interaction."""

    @property
    def max_tokens(self) -> int:
        """As every embedder has it."""

    def count(self, text: str) -> int:
        """As every embedder has it."""

    def embed_tokens(self, texts: Sequence[str]) -> list[Matrix]:
        """Unit vectors of the tokens of each text, float32 of shape (tokens, dimension). Raises ModelError."""


@runtime_checkable
class Literate(Protocol):
    """An embedder that can tell whether it knows the words of a text: some scripts are strange to it."""

    def reads(self, text: str) -> bool:
        """Whether its vector says something of the text."""


def reads(embedder: Embedder | TokenEmbedder, text: str) -> bool:
    """Whether an embedder knows the words of a text; of one that can't tell it is taken for granted."""
    return embedder.reads(text) if isinstance(embedder, Literate) else True


def unit(vectors: Matrix) -> Matrix:
    """Rows scaled to length 1; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)


def checked(vectors: Matrix, name: str, texts: Sequence[str]) -> Matrix:
    """The vectors of a foreign embedder; raises ModelError unless they are numbers, one row a text."""
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise ModelError(
            f"{name} gave an array of shape {vectors.shape} for {len(texts)} texts",
            expected="a vector of finite numbers for each",
            remedy="check that it is an embedding model",
        )
    return vectors


def guess_tokens(text: str) -> int:
    """An upper guess of a text's tokens where the model's tokenizer isn't at hand: a token per 3 UTF-8 bytes."""
    return math.ceil(len(text.encode()) / 3)
