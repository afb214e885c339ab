"""Answers already given, found again by the meaning of their question."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from pydantic import TypeAdapter, ValidationError

from rag.embed.question import question_vector
from rag.errors import ModelError, StoreError
from rag.index import Index
from rag.prompts import Prompt
from rag.same import same_question
from rag.scope import allows
from rag.settings import Settings
from rag.store import Entry, Store, open_store
from rag.types import Answer, Chunk, Condition, Hit, Revision, Scope, Usage, Vectors, chunk_id

# So many of the nearest questions are looked at.
NEAREST = 5
# What stands highest now must have been found then: a new document may hold a better answer.
HIGHEST = 5
# Of the answers, the oldest are let go when there are too many.
LET_GO = 0.1

# The settings that have no part in an answer; any other may have one.
_BESIDE = {"root", "data_dir", "cache", "store", "trace", "langfuse", "limits", "local", "ui", "budget", "ingest"}

Search = Callable[[str], Sequence[Hit]]

log = logging.getLogger("plumbline")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """An answer as it is stored: without its hits, of which `found` are the ids, best first."""

    answer: Answer
    found: tuple[str, ...]
    at: float


_ANSWER = TypeAdapter(_Kept)


class AnswerCache:
    """Keeps answers in a collection of its own beside the index. Safe to share between threads.

    An answer is given again only to a question that is the same in substance (`rag/same.py`), asked within the same
    scope, with the same prompts, models and settings, of the same index version; if its passages are what they were and
    what its own question finds highest now was found then. A store or an embedder that fails costs the answer from
    here, and nothing else.
    """

    def __init__(
        self,
        settings: Settings,
        index: Index,
        prompts: Sequence[Prompt],
        *,
        is_rejected: Callable[[str], bool] = lambda _: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`is_rejected` tells of the trace of an answer whether people don't want it again, `clock` Unix seconds.

        Nothing is opened yet.
        """
        self._is_rejected = is_rejected
        self._options = settings.cache
        self.index = index
        self.prompts = tuple(prompts)
        self._clock = clock
        self._made_with = _made_with(settings, index, prompts)
        embedder = index.embedder
        version = f"answers-{hashlib.sha256(embedder.name.encode()).hexdigest()[:8]}"
        self._store: Store = open_store(settings, version=version, embedder=embedder)

    def find(self, question: str, scope: Scope, *, search: Search) -> Answer | None:
        """The answer that was given to this question, if what it rests on is as it was; else it is forgotten.

        `search` finds the hits of a question within the scope. Those of the question it was given to, in its words, are
        the answer's; its usage and cost are nothing, and `given_before` is its trace then.
        """
        try:
            for stored in self._nearest(question, scope):
                if same_question(question, stored.title, embed=self.index.embedder.embed):
                    kept = self._usable(stored, scope)
                    hits = tuple(search(stored.title)) if kept else ()
                    if kept and _are_still_best(hits, kept):
                        return _given_again(kept.answer, question, hits)
                    self._retire([Revision(uri=stored.uri, digest=stored.revision, chunks=1)])
        except (StoreError, ModelError) as error:
            log.warning("no answer was looked for among those given before: %s", error)
        return None

    def keep(self, answer: Answer, scope: Scope, *, found: Sequence[Hit]) -> None:
        """Keep an answer for the next who asks the same; only one all of whose claims are supported.

        `found` are the hits of its question, without those of other queries.
        """
        if answer.abstained or not answer.verdict.supported:
            return
        ids = tuple(hit.chunk.id for hit in found)
        kept = _Kept(answer=replace(answer, hits=()), found=ids, at=self._clock())
        try:
            self._make_room()
            self._write(answer.question, kept, scope)
        except (StoreError, ModelError) as error:
            log.warning("an answer was not kept for the next who asks the same: %s", error)

    def close(self) -> None:
        """Let other processes have the collection at once; the next call opens it again."""
        self._store.close()

    def _nearest(self, question: str, scope: Scope) -> list[Chunk]:
        """Questions that were asked within this scope and answered in this way, the nearest in meaning first."""
        within = Scope(where=(Condition(field="key", operator="=", values=(self._key(scope),)),))
        near = sorted(
            self._store.score(self._vectors(question), depth=NEAREST, scope=within), key=lambda one: -one.dense
        )
        chunks = {chunk.id: chunk for chunk in self._store.retrieve([one.id for one in near])}
        return [chunks[one.id] for one in near if one.id in chunks]

    def _usable(self, stored: Chunk, scope: Scope) -> _Kept | None:
        """What is stored, if it is young enough, nobody rejected it and its passages are unchanged."""
        try:
            kept = _ANSWER.validate_python(json.loads(stored.text))
        except (ValidationError, ValueError):
            return None
        is_young = self._clock() - kept.at < self._options.max_age_h * 3600
        is_wanted = is_young and not self._is_rejected(kept.answer.trace_id)
        return kept if is_wanted and self._is_unchanged(kept, scope) else None

    def _is_unchanged(self, kept: _Kept, scope: Scope) -> bool:
        passages = [passage.hit.chunk for passage in kept.answer.passages]
        now = {chunk.id: chunk for chunk in self.index.store.retrieve([chunk.id for chunk in passages])}
        return all(_is_as_it_was(chunk, now.get(chunk.id)) and allows(scope, chunk) for chunk in passages)

    def _write(self, question: str, kept: _Kept, scope: Scope) -> None:
        made = _revision(kept.answer.trace_id)
        chunk = Chunk(
            id=chunk_id(made.uri, made.digest, 0),
            uri=made.uri,
            title=question,
            headings=(),
            page=None,
            position=0,
            text=json.dumps(asdict(kept)),
            revision=made.digest,
            fields={"key": self._key(scope), "at": kept.at},
        )
        self._store.prepare()
        self._store.stage([Entry(chunk=chunk, vectors=self._vectors(question))])
        self._store.publish([made])

    def _make_room(self) -> None:
        held = self._store.count()
        if held >= self._options.max_answers:
            oldest = sorted(self._store.chunks(), key=lambda chunk: float(str(chunk.fields["at"])))
            gone = oldest[: max(1, int(held * LET_GO))]
            self._retire([Revision(uri=chunk.uri, digest=chunk.revision, chunks=1) for chunk in gone])

    def _retire(self, revisions: Sequence[Revision]) -> None:
        try:
            self._store.publish([], retired=revisions)
        except StoreError as error:
            log.warning("an answer given before could not be forgotten: %s", error)

    def _vectors(self, question: str) -> Vectors:
        index = self.index
        return Vectors(dense=question_vector(question, index.embedder), lexical=index.lexical.question(question))

    def _key(self, scope: Scope) -> str:
        told = json.dumps([self._made_with, sorted(scope.readers), asdict(scope)["where"]])
        return hashlib.sha256(told.encode()).hexdigest()[:32]


def _made_with(settings: Settings, index: Index, prompts: Sequence[Prompt]) -> list[str]:
    """All that decides on an answer besides question, scope and documents."""
    told = settings.model_dump_json(exclude=_BESIDE)
    return [index.name, *(prompt.sha for prompt in prompts), told]


def _is_as_it_was(then: Chunk, now: Chunk | None) -> bool:
    # A passage may have been widened: what it was cut from has the same id, and its revision tells its content.
    return now is not None and (now.revision, now.readers, dict(now.fields)) == (
        then.revision,
        then.readers,
        dict(then.fields),
    )


def _are_still_best(hits: Sequence[Hit], kept: _Kept) -> bool:
    return bool(hits) and {hit.chunk.id for hit in hits[:HIGHEST]} <= set(kept.found)


def _given_again(answer: Answer, question: str, hits: tuple[Hit, ...]) -> Answer:
    return replace(
        answer, question=question, query=question, hits=hits, usage=Usage(), cost=0.0, given_before=answer.trace_id
    )


def _revision(trace_id: str) -> Revision:
    return Revision(uri=f"answer:{trace_id}", digest="1", chunks=1)
