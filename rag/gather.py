"""From a question to what is to be read: condense -> expand -> retrieve -> choose passages."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rag.asked import Asked
from rag.context import whole
from rag.draft import spoken
from rag.errors import InputError, ModelError
from rag.expand import Expander
from rag.focus import focus
from rag.llm import LLM, pinned
from rag.llm.protocol import Sampling, complete
from rag.llm.reading import budget_tokens
from rag.observe.facts import failure_noted, of_call, of_hit, of_request
from rag.observe.record import Recorder
from rag.prompts import Prompt, load_prompt
from rag.roles import RULE_REWRITE
from rag.search import Found, Searcher, standing_alone
from rag.types import Generation, Hit, Passage
from rag.widen import widened

# Enough for a question.
REWRITE = Sampling(temperature=0, max_tokens=100)

log = logging.getLogger("plumbline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What was searched for and found, and the calls that it took; `plain` is what the query alone found."""

    query: str
    hits: tuple[Hit, ...]
    plain: tuple[Hit, ...]
    calls: tuple[Generation, ...]


class Gatherer:
    """Finds passages for questions. Safe to share between threads."""

    def __init__(self, searcher: Searcher, *, reader: LLM, rewrite: LLM | None) -> None:
        """`reader` is who reads the passages, `rewrite` makes questions stand alone. Raises ConfigError."""
        settings = searcher.settings
        self._settings, self._searcher = settings, searcher
        self._reader, self._rewrite = reader, rewrite
        self._rewrite_prompt = load_prompt("rewrite", own=settings.prompts_path)
        self._expander = Expander(settings, rewrite) if settings.retrieve.expand != "none" else None

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts in use: rewrite, and what adds queries."""
        return self._rewrite_prompt, *((self._expander.prompt,) if self._expander else ())

    def gather(self, asked: Asked) -> Gathered:
        """The hits of a question. Raises InputError for an empty index, ModelError and StoreError."""
        query, rewriting = self._condense(asked)
        queries, expanding = self._expand(asked, query)
        found, plain = self._retrieve(asked, queries)
        calls = tuple(call for call in (rewriting, expanding) if call)
        return Gathered(query=query, hits=found, plain=plain, calls=calls)

    def passages(self, asked: Asked, found: Gathered) -> tuple[Passage, ...]:
        """What of the hits the model gets to read. Raises StoreError and ModelError."""
        options, index = self._settings.context, self._searcher.index
        budget = budget_tokens(self._reader, usual=options.budget_tokens)
        with asked.recorder.step("context", "span") as step:
            hits = widened(found.hits, index.store, neighbours=options.neighbours, scope=asked.scope)
            if options.passages == "whole":
                passages = whole(hits, budget_tokens=budget, count=index.embedder.count)
            else:
                passages = focus(
                    found.query, hits, budget_tokens=budget, embedder=index.embedder, terms=index.lexical.terms
                )
            step.note(
                {
                    "budget_tokens": budget,
                    "passages": [{"marker": p.marker, "chunk_id": p.hit.chunk.id} for p in passages],
                }
            )
        return passages

    def _condense(self, asked: Asked) -> tuple[str, Generation | None]:
        """The text to search for: the question itself, or a follow-up made to stand alone."""
        question, history, recorder = asked.question, asked.history, asked.recorder
        if not history:
            return question, None
        if self._rewrite is None:
            with recorder.step("rewrite", "span") as step:
                query = standing_alone(question, history)
                step.note({"rule": RULE_REWRITE, "query": query})
            return query[-self._settings.limits.question_chars :], None
        llm, prompt = pinned(self._rewrite, asked.purse), self._rewrite_prompt
        messages = prompt.render({"history": spoken(history), "question": question})
        with recorder.step("rewrite", "generation") as step:
            step.note(of_request(llm, messages, prompt, REWRITE))
            with failure_noted(step):
                generation = complete(llm, messages, REWRITE)
            step.note(of_call(generation))
        return generation.text.strip()[: self._settings.limits.question_chars] or question, generation

    def _expand(self, asked: Asked, query: str) -> tuple[tuple[str, ...], Generation | None]:
        """The query, and what else is to be searched for; alone where that is not wanted, or the model fails."""
        expander = self._expander
        if expander is None:
            return (query,), None
        messages, call = expander.messages(query), None
        with asked.recorder.step("expand", "generation") as step:
            step.note(of_request(expander.llm, messages, expander.prompt, expander.sampling))
            try:
                with failure_noted(step):
                    call = complete(pinned(expander.llm, asked.purse), messages, expander.sampling)
                step.note(of_call(call))
            except ModelError as error:
                log.warning("the question is searched for as it is: %s", error)
                step.note({"failure": str(error)})
            queries = expander.queries(query, call.text if call else "")
            step.note({"queries": queries})
        return queries, call

    def _retrieve(self, asked: Asked, queries: Sequence[str]) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
        """The hits of all queries together, and those of the first."""
        with asked.recorder.step("retrieve", "retriever") as step:
            searched = [self._searcher.find(query, scope=asked.scope) for query in queries]
            _note_embedded(asked.recorder.below(step), queries, searched)
            found = self._expander.fused(searched) if self._expander else searched[0]
            facts: dict[str, Any] = {
                "query": queries[0],
                "scope": asdict(asked.scope),
                "dense_weight": round(found.dense_weight, 3),
            }
            facts |= {"rerank_failure": found.failure} if found.failure else {}
            step.note({**facts, "hits": [of_hit(hit) for hit in found.hits]})
            is_empty = self._searcher.retriever is None and not self._searcher.index.store.count()
            if not found.hits and is_empty:
                raise InputError("the index holds no documents", expected="some", remedy="fill it: plumb ingest PATH")
        return found.hits, searched[0].hits


def _note_embedded(recorder: Recorder, queries: Sequence[str], searched: Sequence[Found]) -> None:
    """A step for each query that was made a vector."""
    for query, found in zip(queries, searched, strict=True):
        if made := found.embedded:
            facts = {"model": made.model, "input": query}
            recorder.add("embed", "embedding", began=made.began, ended=made.ended, facts=facts)
