"""Where hits come from instead of the two legs of the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from rag.scope import allows
from rag.types import Hit, Scope


class Retriever(Protocol):
    """Finds passages for a question. `name` tells its stage among the scores of a hit."""

    @property
    def name(self) -> str:
        """A word."""

    def hits(self, question: str, *, limit: int) -> Sequence[Hit]:
        """At most `limit` hits with `score` in any unit, higher is better. Raises ModelError or StoreError.

        Those whose chunk the person who asks may not read are dropped by whoever calls it.
        """


def found_by(retriever: Retriever, question: str, *, limit: int, scope: Scope) -> list[Hit]:
    """Its hits within the scope, best first, their scores scaled from 0, the lowest, to 1, as fused ones are."""
    found = [hit for hit in retriever.hits(question, limit=limit) if allows(scope, hit.chunk)]
    ranked = sorted(found, key=lambda hit: -hit.score)[:limit]
    low = min((hit.score for hit in ranked), default=0.0)
    span = ranked[0].score - low if ranked else 0.0
    return [
        replace(
            hit,
            score=(hit.score - low) / span if span else 1.0,
            scores={**hit.scores, retriever.name: hit.score},
            ranks={**hit.ranks, retriever.name: rank},
        )
        for rank, hit in enumerate(ranked, 1)
    ]
