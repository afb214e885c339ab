"""Which hits the model gets to read, whole: the best that fit the token budget, numbered from 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.fence import on_a_line, quoted
from rag.types import Hit, Passage


def whole(hits: Sequence[Hit], *, budget_tokens: int, count: Callable[[str], int]) -> tuple[Passage, ...]:
    """The best hits whose shown texts together stay within the budget; the first is always taken."""
    passages: list[Passage] = []
    left = budget_tokens
    for hit in hits:
        passage = Passage(marker=1 + len(passages), text=hit.chunk.text, hit=hit)
        cost = count(shown(passage))
        if passages and cost > left:
            continue
        passages.append(passage)
        left -= cost
    return tuple(passages)


def shown(passage: Passage) -> str:
    """A passage as the model reads it: number, title and headings on a line, then its text, quoted."""
    return f"[{passage.marker}] {on_a_line(passage.hit.chunk.label)}\n{quoted(passage.text)}"
