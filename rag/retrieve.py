"""Hits put in order, stage by stage: late stages blended in, outdated documents down. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rag.types import Hit


def in_order(hits: Iterable[Hit], stage: str) -> list[Hit]:
    """Hits by falling score, equal ones in the order they come in, each with its place after this stage, from 1."""
    ordered = sorted(hits, key=lambda hit: -hit.score)
    return [replace(hit, ranks={**hit.ranks, stage: rank}) for rank, hit in enumerate(ordered, 1)]


def blend(hits: Sequence[Hit], scores: Sequence[float], *, stage: str, weight: float) -> list[Hit]:
    """Hits ordered anew by a second opinion, `scores` in any unit for the best of them.

    `weight` is what the opinion counts for against the score so far. It is scaled from 0 for the lowest, and for the
    hits that it was not asked about, which so stay below, to 1 for the highest.
    """
    low = min(scores, default=0.0)
    span = max(scores, default=0.0) - low or 1.0
    told = [replace(hit, scores={**hit.scores, stage: score}) for hit, score in zip(hits, scores, strict=False)]
    opinions = [*((score - low) / span for score in scores), *(0.0 for _ in hits[len(scores) :])]
    return in_order(
        (
            replace(hit, score=(1 - weight) * hit.score + weight * opinion)
            for hit, opinion in zip([*told, *hits[len(told) :]], opinions, strict=True)
        ),
        stage,
    )


def demote(hits: Sequence[Hit], *, words: Sequence[str], factor: float) -> list[Hit]:
    """Hits ordered anew, the score of those from outdated documents multiplied by `factor`.

    A document is outdated when its path, title or a heading holds one of `words`. The factor is noted as a stage.
    """
    if not words or factor == 1:
        return list(hits)
    pattern = re.compile(rf"(?<![^\W_])({'|'.join(map(re.escape, words))})(?![^\W_])", re.IGNORECASE)
    outdated = [bool(pattern.search(_labels(hit))) for hit in hits]
    if not any(outdated):
        return list(hits)
    return in_order(
        (_demoted(hit, factor) if is_old else hit for hit, is_old in zip(hits, outdated, strict=True)), "outdated"
    )


def _labels(hit: Hit) -> str:
    return "\n".join((hit.chunk.uri, hit.chunk.title, *hit.chunk.headings))


def _demoted(hit: Hit, factor: float) -> Hit:
    return replace(hit, score=hit.score * factor, scores={**hit.scores, "outdated": factor})
