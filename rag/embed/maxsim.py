"""How near two texts are, token by token."""

from __future__ import annotations

from rag.embed.protocol import Matrix


def max_sim(asked: Matrix, other: Matrix) -> float:
    """For each token vector of a question the most similar one of a text, averaged: -1 to 1; 0 for no tokens.

    Both have a row a token, of length 1. Khattab and Zaharia, ColBERT (2020).
    """
    return float((asked @ other.T).max(axis=1).mean()) if len(asked) and len(other) else 0.0
