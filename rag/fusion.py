"""The two legs of a search made one: how much each is trusted for this question, and the fused scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from rag.store.protocol import Scored
from rag.types import Chunk, Hit

# How sharply trust falls as a leg's best hit stands out less from its others.
SHARPNESS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a chunk came in: its score and its place, from 1, in each leg and as fused.

    One that shares no word with the question has no place in the lexical leg.
    """

    id: str
    scores: dict[str, float]
    ranks: dict[str, int]

    def hit(self, chunk: Chunk) -> Hit:
        """The hit that the chunk makes."""
        return Hit(chunk=chunk, score=self.scores["fused"], scores=self.scores, ranks=self.ranks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """What both legs found, best first, and what the dense leg counted for, 0 to 1."""

    places: list[Place]
    dense_weight: float


def fuse(scored: Sequence[Scored], *, depth: int, dense_weight: float) -> Fused:
    """The best `depth` by the convex combination of both legs' scores, out of the best `depth` of each leg.

    The dense score is scaled between the lowest and the highest cosine among them, the lexical one by the highest BM25.
    Score fusion instead of rank fusion: Bruch, Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval
    (2023). `dense_weight` is what the dense leg would count for if both were trusted alike.
    """
    if not scored:
        return Fused(places=[], dense_weight=dense_weight)
    weight = _weight(scored, depth=depth, dense_weight=dense_weight)
    # In an order that the store has no part in, so that equal scores give the same hits every time.
    found = sorted(scored, key=lambda one: one.id)
    low = min(one.dense for one in found)
    span = max(one.dense for one in found) - low or 1.0
    top = max(one.lexical for one in found) or 1.0
    scores = [weight * (one.dense - low) / span + (1 - weight) * one.lexical / top for one in found]
    return Fused(places=_places(found, scores)[:depth], dense_weight=weight)


def _weight(scored: Sequence[Scored], *, depth: int, dense_weight: float) -> float:
    """The weight of the dense leg for this question: the more its best hit stands out compared with the other leg's.

    That a leg finds one thing and little else like it tells that it understood the question; after Shtok et al.,
    Predicting Query Performance by Query-Drift Estimation (2012). Where both legs find many things alike (a question of
    common words, say) the setting decides.
    """
    dense = sorted((one.dense for one in scored), reverse=True)[:depth]
    worded = [one for one in sorted(scored, key=lambda one: -one.lexical)[:depth] if one.lexical > 0]
    # What shares a word with the question, but need not be near to it in meaning, is the dense leg's background.
    background = fmean(one.dense for one in worded) if worded else dense[-1]
    lexical = [one.lexical for one in worded] + [0.0] * (len(dense) - len(worded))
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


def _places(found: Sequence[Scored], fused: Sequence[float]) -> list[Place]:
    by_dense, by_words = _ranks([one.dense for one in found]), _ranks([one.lexical for one in found])
    places = [
        Place(
            id=one.id,
            scores={"dense": one.dense, "lexical": one.lexical, "fused": score},
            ranks={"dense": dense, **({"lexical": lexical} if one.lexical > 0 else {}), "fused": rank},
        )
        for one, score, dense, lexical, rank in zip(found, fused, by_dense, by_words, _ranks(fused), strict=True)
    ]
    return sorted(places, key=lambda place: place.ranks["fused"])


def _ranks(scores: Sequence[float]) -> list[int]:
    """The place of each score among all, from 1 for the highest; equal ones in their order."""
    ranks = [0] * len(scores)
    for rank, at in enumerate(sorted(range(len(scores)), key=lambda at: -scores[at]), 1):
        ranks[at] = rank
    return ranks
