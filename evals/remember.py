"""Parts of a search that remember what they found, so that the same questions can be ranked in many ways at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag.embed import Embedder, Matrix
from rag.rerank import Reranker, checked_scores
from rag.store import Store
from rag.store.protocol import Scored
from rag.types import PUBLIC, Chunk, Hit, Scope, Vectors


class RememberingStore:
    """What a store found, asked for once a question, to the greatest depth; the rest is the store's own."""

    def __init__(self, store: Store, *, depth: int) -> None:
        """`depth` is the greatest that will be asked for."""
        self._store = store
        self._depth = depth
        self._known: dict[tuple[float, ...], list[Scored]] = {}
        self._chunks: dict[str, Chunk] = {}

    def __getattr__(self, name: str) -> Any:
        """What is not remembered."""
        return getattr(self._store, name)

    def score(self, vectors: Vectors, *, depth: int, scope: Scope = PUBLIC) -> list[Scored]:
        """As the store does: what it found has its exact score in both legs, so fewer are among the more."""
        found = self._known.get(vectors.dense)
        if found is None:
            found = self._known[vectors.dense] = self._store.score(vectors, depth=self._depth, scope=scope)
        near = sorted(found, key=lambda one: -one.dense)[:depth]
        worded = sorted(found, key=lambda one: -one.lexical)[:depth]
        chosen = {one.id: one for one in [*near, *(one for one in worded if one.lexical > 0)]}
        return list(chosen.values())

    def retrieve(self, ids: Sequence[str]) -> list[Chunk]:
        """As the store does."""
        new = [one for one in ids if one not in self._chunks]
        self._chunks.update({chunk.id: chunk for chunk in self._store.retrieve(new)} if new else {})
        return [self._chunks[one] for one in ids if one in self._chunks]


class RememberingEmbedder:
    """The vectors of questions; the rest is the embedder's own."""

    def __init__(self, embedder: Embedder) -> None:
        """Nothing is known yet."""
        self._embedder = embedder
        self._known: dict[tuple[str, ...], Matrix] = {}

    def __getattr__(self, name: str) -> Any:
        """What is not remembered."""
        return getattr(self._embedder, name)

    def embed(self, texts: Sequence[str]) -> Matrix:
        """As the embedder makes them."""
        key = tuple(texts)
        if key not in self._known:
            self._known[key] = self._embedder.embed(texts)
        return self._known[key]


class RememberingReranker:
    """The scores of a reranker that gives each hit its own, whatever the others are."""

    def __init__(self, reranker: Reranker) -> None:
        """Nothing is known yet."""
        self._reranker = reranker
        self._known: dict[tuple[str, str], float] = {}

    @property
    def name(self) -> str:
        """The reranker's."""
        return self._reranker.name

    def scores(self, question: str, hits: Sequence[Hit]) -> list[float] | None:
        """As the reranker gives them."""
        new = [hit for hit in hits if (question, hit.chunk.id) not in self._known]
        if new:
            scores = checked_scores(self._reranker, question, new)
            if scores is None:
                return None
            self._known.update({(question, hit.chunk.id): score for hit, score in zip(new, scores, strict=True)})
        return [self._known[(question, hit.chunk.id)] for hit in hits]
