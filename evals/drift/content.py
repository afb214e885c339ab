"""What answers say, as vectors and values: for tests of meaning and of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evals.drift.form import plain_words
from evals.drift.permute import Floats
from rag.embed.protocol import Embedder

# Embedders read the beginning of a text; a longer one would only take time.
CHARS = 4_000


def meanings(texts: Sequence[str], embedder: Embedder) -> Mapping[str, Floats]:
    """A unit vector of what each text says, its Markdown and fences aside; an empty text has none."""
    said = {text: plain_words(text)[:CHARS] for text in dict.fromkeys(texts)}
    distinct = [words for words in dict.fromkeys(said.values()) if words]
    if not distinct:
        return {}
    vectors = np.asarray(embedder.embed(distinct), dtype=np.float64)
    by_words = dict(zip(distinct, vectors, strict=True))
    return {text: by_words[words] for text, words in said.items() if words}


def nearness(vectors: Floats) -> Floats:
    """The negative distances between all rows: the kernel of the energy distance."""
    squares = (vectors**2).sum(axis=1)
    apart = np.maximum(squares[:, None] + squares[None] - 2 * vectors @ vectors.T, 0.0)
    np.fill_diagonal(apart, 0.0)
    return np.asarray(-np.sqrt(apart))


def apart(one: Floats | str, other: Floats | str) -> float:
    """How far two answers to one prompt lie apart, 0 to 1: by their value, or by their meaning."""
    if isinstance(one, str) or isinstance(other, str):
        return float(not (isinstance(one, str) and isinstance(other, str) and one == other))
    return float(np.clip((1 - one @ other) / 2, 0, 1))
