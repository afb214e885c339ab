"""Which hits the model gets to read, and in which portions: the best that fit the token budget come first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.types import Hit, Passage


def readings(
    hits: Sequence[Hit], *, times: int, budget_tokens: int, count: Callable[[str], int]
) -> list[tuple[Passage, ...]]:
    """Up to `times` portions of passages, each within the budget, best first, numbered through from 1.

    A small model that gets four passages at once overlooks what it finds when it gets two and then two.
    """
    portions: list[tuple[Passage, ...]] = []
    left, read = list(hits), 0
    while left and len(portions) < times:
        portion = fit(left, budget_tokens=budget_tokens, count=count, first_marker=read + 1)
        portions.append(portion)
        read += len(portion)
        taken = {passage.hit.chunk.id for passage in portion}
        left = [hit for hit in left if hit.chunk.id not in taken]
    return portions


def fit(
    hits: Sequence[Hit], *, budget_tokens: int, count: Callable[[str], int], first_marker: int = 1
) -> tuple[Passage, ...]:
    """The best hits whose shown texts together stay within the budget; the first is always taken."""
    passages: list[Passage] = []
    left = budget_tokens
    for hit in hits:
        passage = Passage(marker=first_marker + len(passages), text=hit.chunk.text, hit=hit)
        cost = count(shown(passage))
        if passages and cost > left:
            continue
        passages.append(passage)
        left -= cost
    return tuple(passages)


def shown(passage: Passage) -> str:
    """A passage as the model reads it: number, title and headings, then its text."""
    chunk = passage.hit.chunk
    context = " › ".join(dict.fromkeys((chunk.title, *chunk.headings)))
    return f"[{passage.marker}] {context}\n{passage.text}"
