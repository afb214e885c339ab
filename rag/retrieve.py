"""From candidates to hits: fusion of the two legs, outdated documents down, duplicates out. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from rag.store.protocol import Candidate
from rag.types import Hit


def fuse(candidates: Sequence[Candidate], *, dense_weight: float) -> list[Hit]:
    """Hits by the convex combination of both legs' scores, best first.

    The dense score is scaled between the lowest and the highest cosine among the candidates, the lexical one by the
    highest BM25. Score fusion instead of rank fusion: Bruch, Gai and Ingber, An Analysis of Fusion Functions for
    Hybrid Retrieval (2023).
    """
    if not candidates:
        return []
    low = min(candidate.dense for candidate in candidates)
    span = max(candidate.dense for candidate in candidates) - low or 1.0
    top = max(candidate.lexical for candidate in candidates) or 1.0
    hits = [_hit(c, dense_weight * (c.dense - low) / span + (1 - dense_weight) * c.lexical / top) for c in candidates]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.id))


def distinct(hits: Iterable[Hit]) -> Iterator[Hit]:
    """Hits without those whose text, white space aside, already stands higher."""
    seen: set[str] = set()
    for hit in hits:
        text = " ".join(hit.chunk.text.split()).casefold()
        if text not in seen:
            seen.add(text)
            yield hit


def demote(hits: Sequence[Hit], *, words: Sequence[str], factor: float) -> list[Hit]:
    """Hits ordered anew, the score of those from outdated documents multiplied by `factor`.

    A document is outdated when its path, title or a heading holds one of `words`. The factor is noted as a stage.
    """
    if not words or factor == 1:
        return list(hits)
    pattern = re.compile(rf"(?<![^\W_])({'|'.join(map(re.escape, words))})(?![^\W_])", re.IGNORECASE)
    weighed = [_demoted(hit, factor) if pattern.search(_labels(hit)) else hit for hit in hits]
    return sorted(weighed, key=lambda hit: (-hit.score, hit.chunk.id))


def _labels(hit: Hit) -> str:
    return "\n".join((hit.chunk.uri, hit.chunk.title, *hit.chunk.headings))


def _demoted(hit: Hit, factor: float) -> Hit:
    return replace(hit, score=hit.score * factor, scores={**hit.scores, "outdated": factor})


def _hit(candidate: Candidate, fused: float) -> Hit:
    scores = {"dense": candidate.dense, "lexical": candidate.lexical, "fused": fused}
    return Hit(chunk=candidate.chunk, score=fused, scores=scores)
