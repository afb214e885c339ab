"""Find passages: embed the question, ask both legs, fuse, read the best again. Needs no chat model."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.distinct import LeftOut, distinct
from rag.embed import Embedder, reads
from rag.embed.question import question_vector
from rag.errors import InputError, ModelError
from rag.fusion import fuse
from rag.index import Index, open_index
from rag.rerank import Reranker, checked_scores, make_reranker
from rag.retrieve import blend, demote
from rag.retriever import Retriever, found_by
from rag.scope import allows
from rag.settings import Settings
from rag.types import PUBLIC, Hit, Scope, Turn, Vectors
from rag.versions import Versions

log = logging.getLogger("plumbline")
# So often a search is made while documents are replaced under it.
TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """That the question was made a vector: by which model, and when, in seconds of `time.perf_counter()`."""

    model: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to: the hits, best first, and what the dense leg counted for in their fusion, 0 to 1.

    `left_out` are hits that would stand among them. `failure` tells why the reranker was not heard, if it failed;
    `embedded` is None where a retriever found the hits.
    """

    hits: tuple[Hit, ...]
    left_out: tuple[LeftOut, ...]
    dense_weight: float
    failure: str = ""
    embedded: Embedded | None = None


class Searcher:
    """The live version of an index, searched by meaning and by words. Safe to share between threads.

    When another version becomes live, in this process or another, the next search is made in that one.
    """

    def __init__(
        self,
        settings: Settings,
        index: Index,
        *,
        versions: Versions | None = None,
        reranker: Reranker | None = None,
        retriever: Retriever | None = None,
    ) -> None:
        """Hold the index; `versions` tells when another one is live, and without it this one stays.

        Without a `reranker` the one is taken that the settings name. A `retriever` finds the hits in place of the
        store's legs. Raises ConfigError when the reranker can't be made.
        """
        self.settings = settings
        self._versions = versions
        self._own_reranker = reranker
        self.retriever = retriever
        # Changed together: a thread must not read one version's hits with another's embedder.
        self._current = (index, reranker or make_reranker(settings, index.embedder))
        self._opening = threading.Lock()

    @classmethod
    def from_settings(cls, settings: Settings, *, version: str = "") -> Searcher:
        """A searcher of the live version, or of the one named, which then stays.

        Raises ConfigError, WeightsError, ModelError or StoreError.
        """
        index = open_index(settings, version=version)
        return cls(settings, index, versions=None if version else Versions(settings))

    @property
    def opened(self) -> Index:
        """The version that was searched last; asks neither disk nor server."""
        return self._current[0]

    @property
    def index(self) -> Index:
        """The version that is searched."""
        return self._live()[0]

    def _live(self) -> tuple[Index, Reranker | None]:
        """The version that is live now, and what reads its hits again."""
        live = self._versions.live() if self._versions else ""
        if live and live != self.opened.version:
            # Of all threads that see the switch, one opens the new version.
            with self._opening:
                if live != self.opened.version:
                    self.opened.store.close()
                    index = open_index(self.settings)
                    self._current = (index, self._own_reranker or make_reranker(self.settings, index.embedder))
        return self._current

    def search(self, question: str, *, limit: int | None = None, scope: Scope = PUBLIC) -> list[Hit]:
        """The best `limit` hits (default: retrieve.limit) within the scope, each with the score of every stage.

        Raises InputError for an unusable question, StoreError and ModelError when a part fails.
        """
        return list(self.find(question, limit=limit, scope=scope).hits)

    def find(self, question: str, *, limit: int | None = None, scope: Scope = PUBLIC) -> Found:
        """As `search()`, with what else is to be told of it."""
        query = check_question(question, max_chars=self.settings.limits.question_chars)
        options, (index, reranker) = self.settings.retrieve, self._live()
        wanted = limit or options.limit
        depth = max(options.depth, wanted)
        hits, dense_weight, embedded = self._fused(query, index, depth=depth, scope=scope)
        reranked, failure = self._reranked(query, hits, reranker)
        ranked = demote(reranked, words=options.outdated_words, factor=options.outdated_factor)
        seen = _first(
            distinct(ranked, duplicate_at=options.duplicate_at, per_document=options.per_document), hits=wanted
        )
        return Found(
            hits=tuple(one for one in seen if isinstance(one, Hit)),
            left_out=tuple(one for one in seen if isinstance(one, LeftOut)),
            dense_weight=dense_weight,
            failure=failure,
            embedded=embedded,
        )

    def _fused(self, query: str, index: Index, *, depth: int, scope: Scope) -> tuple[list[Hit], float, Embedded | None]:
        """The hits of both legs, or of the retriever in their place, and what the dense leg counted for."""
        if self.retriever is not None:
            return found_by(self.retriever, query, limit=depth, scope=scope), 0.0, None
        dense, embedded = _embedded(query, index.embedder)
        vectors = Vectors(dense=dense, lexical=index.lexical.question(query))
        # What the embedder can't read is searched for by words alone.
        weight = self.settings.retrieve.dense_weight if reads(index.embedder, query) else 0.0
        # A document may be replaced between the two calls: its new chunks were not scored, and its old ones are gone.
        for _ in range(TRIES):
            fused = fuse(index.store.score(vectors, depth=depth, scope=scope), depth=depth, dense_weight=weight)
            chunks = {chunk.id: chunk for chunk in index.store.retrieve([place.id for place in fused.places])}
            if len(chunks) == len(fused.places):
                break
        # That a chunk may be read is asked here too: nothing rests on one filter.
        found = ((place, chunks[place.id]) for place in fused.places if place.id in chunks)
        return [place.hit(chunk) for place, chunk in found if allows(scope, chunk)], fused.dense_weight, embedded

    def _reranked(self, query: str, hits: list[Hit], reranker: Reranker | None) -> tuple[list[Hit], str]:
        """The hits after a second reading; in the order they have, and why, when the reranker fails."""
        options = self.settings.retrieve
        if not (reranker and hits and options.rerank_weight):
            return hits, ""
        try:
            scores = checked_scores(reranker, query, hits[: options.rerank_hits])
        except ModelError as error:
            log.warning("hits are in the order of the fusion: %s", error)
            return hits, str(error)
        if scores is None:
            return hits, ""
        return blend(hits, scores, stage=reranker.name, weight=options.rerank_weight), ""


def _embedded(query: str, embedder: Embedder) -> tuple[tuple[float, ...], Embedded]:
    began = time.perf_counter()
    vector = question_vector(query, embedder)
    return vector, Embedded(model=embedder.name, began=began, ended=time.perf_counter())


def _first(seen: Iterator[Hit | LeftOut], *, hits: int) -> list[Hit | LeftOut]:
    """What comes up to so many hits."""
    taken: list[Hit | LeftOut] = []
    for one in seen:
        taken.append(one)
        hits -= isinstance(one, Hit)
        if not hits:
            break
    return taken


def standing_alone(question: str, history: Sequence[Turn]) -> str:
    """A follow-up with the question before it, so that it can be searched for: the rule 'previous-question'."""
    return " ".join([*(turn.question for turn in history[-1:]), question])


def check_question(question: str, *, max_chars: int) -> str:
    """The question without surrounding white space; raises InputError when it is empty or too long."""
    # Half a surrogate pair, from a terminal or from JSON, is no text that a model or the index takes.
    asked = question.encode(errors="replace").decode().strip()
    if not asked:
        raise InputError("the question is empty", expected="a question", remedy="ask one")
    if len(asked) > max_chars:
        raise InputError(
            f"the question has {len(asked):,} characters",
            expected=f"at most limits.question_chars = {max_chars:,}",
            remedy="shorten it, or raise the limit",
        )
    return asked
