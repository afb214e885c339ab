"""A question that was made of a passage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rag.types import Chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, the words of the passage that answer it, and the sentence they are in.

    `fact` is '' where it takes the whole sentence, or more, to answer.
    """

    question: str
    fact: str
    sentence: str


# None where nothing can be asked of the passage.
Ask = Callable[[Chunk], Asked | None]
