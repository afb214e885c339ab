"""Questions as vectors, those too that are longer than the embedder's window."""

from __future__ import annotations

from collections.abc import Callable

from rag.embed.protocol import Embedder, Matrix, unit
from rag.sentences import sentences


def question_vector(question: str, embedder: Embedder) -> tuple[float, ...]:
    """The unit vector of a question; of one that is longer than the window, the mean of its parts.

    Raises ModelError.
    """
    vectors = embedder.embed(windows(question, max_tokens=embedder.max_tokens, count=embedder.count))
    mean: Matrix = unit(vectors.mean(axis=0, keepdims=True))
    return tuple(mean[0].tolist())


def windows(text: str, *, max_tokens: int, count: Callable[[str], int]) -> list[str]:
    """A text in parts of at most `max_tokens`, halved as often as needed, between sentences if it has any."""
    if count(text) <= max_tokens or len(text) < 2:
        return [text]
    at = _middle(text)
    halves = (text[:at].strip(), text[at:].strip())
    return [part for half in halves if half for part in windows(half, max_tokens=max_tokens, count=count)]


def _middle(text: str) -> int:
    """The end of the sentence that is nearest to the middle; of a single sentence, of the word; else the middle."""
    half = len(text) // 2
    ends = [end for _, end in sentences(text)][:-1] or [at for at, sign in enumerate(text) if sign.isspace() and at]
    return min(ends, key=lambda end: abs(end - half), default=half)
