"""The two legs of a search made one: how much each is trusted for this question, and the fused scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from rag.store.protocol import Candidate
from rag.types import Hit

# How sharply trust falls as a leg's best hit stands out less from its others.
SHARPNESS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """Hits of both legs, best first, and what the dense leg counted for, 0 to 1."""

    hits: list[Hit]
    dense_weight: float


def fuse(candidates: Sequence[Candidate], *, depth: int, dense_weight: float) -> Fused:
    """Hits by the convex combination of both legs' scores, of which the best `depth` of each leg are the candidates.

    The dense score is scaled between the lowest and the highest cosine among the candidates, the lexical one by the
    highest BM25. Score fusion instead of rank fusion: Bruch, Gai and Ingber, An Analysis of Fusion Functions for
    Hybrid Retrieval (2023). `dense_weight` is what the dense leg would count for if both were trusted alike.
    """
    if not candidates:
        return Fused(hits=[], dense_weight=dense_weight)
    weight = _weight(candidates, depth=depth, dense_weight=dense_weight)
    # In an order that the store has no part in, so that equal scores give the same hits every time.
    found = sorted(candidates, key=lambda candidate: candidate.chunk.id)
    low = min(candidate.dense for candidate in found)
    span = max(candidate.dense for candidate in found) - low or 1.0
    top = max(candidate.lexical for candidate in found) or 1.0
    scores = [weight * (one.dense - low) / span + (1 - weight) * one.lexical / top for one in found]
    return Fused(hits=_hits(found, scores), dense_weight=weight)


def _weight(candidates: Sequence[Candidate], *, depth: int, dense_weight: float) -> float:
    """The weight of the dense leg for this question: the more its best hit stands out compared with the other leg's.

    That a leg finds one thing and little else like it tells that it understood the question; after Shtok et al.,
    Predicting Query Performance by Query-Drift Estimation (2012). Where both legs find many things alike (a question of
    common words, say) the setting decides.
    """
    dense = sorted((candidate.dense for candidate in candidates), reverse=True)[:depth]
    worded = sorted(candidates, key=lambda candidate: -candidate.lexical)[:depth]
    worded = [candidate for candidate in worded if candidate.lexical > 0]
    # What shares a word with the question, but need not be near to it in meaning, is the dense leg's background.
    background = fmean(candidate.dense for candidate in worded) if worded else dense[-1]
    lexical = [candidate.lexical for candidate in worded] + [0.0] * (len(dense) - len(worded))
    for_dense = dense_weight * _stands_out(dense, background) ** SHARPNESS
    for_lexical = (1 - dense_weight) * _stands_out(lexical, 0.0) ** SHARPNESS
    both = for_dense + for_lexical
    return for_dense / both if both else dense_weight


def _stands_out(scores: Sequence[float], background: float) -> float:
    """How far the first score is from the mean of the others, 1 where these are no better than the background."""
    best, others = scores[0], scores[1:]
    if best <= background:
        return 0.0
    return min(1.0, 1 - (fmean(others) - background) / (best - background)) if others else 1.0


def _hits(found: Sequence[Candidate], fused: Sequence[float]) -> list[Hit]:
    """The candidates by falling score, with their scores and places; one that shares no word has no lexical place."""
    by_dense, by_words = _places([one.dense for one in found]), _places([one.lexical for one in found])
    hits = [
        Hit(
            chunk=one.chunk,
            score=score,
            scores={"dense": one.dense, "lexical": one.lexical, "fused": score},
            ranks={"dense": dense, **({"lexical": lexical} if one.lexical > 0 else {}), "fused": place},
        )
        for one, score, dense, lexical, place in zip(found, fused, by_dense, by_words, _places(fused), strict=True)
    ]
    return sorted(hits, key=lambda hit: hit.ranks["fused"])


def _places(scores: Sequence[float]) -> list[int]:
    """The place of each score among all, from 1 for the highest; equal ones in their order."""
    places = [0] * len(scores)
    for place, at in enumerate(sorted(range(len(scores)), key=lambda at: -scores[at]), 1):
        places[at] = place
    return places
