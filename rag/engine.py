"""Answer a question over the corpus: condense -> retrieve -> context -> generate -> verify.

It opens the spans of a question, and `draft.py` those of an answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from rag.budget.purse import Purse, Purses, facts_of
from rag.context import whole
from rag.draft import Drafter, Task, spoken
from rag.errors import InputError, ModelError, StoreError
from rag.events import Delta, Event, Progress, Stage
from rag.expand import Expander
from rag.focus import focus
from rag.language import Phrases, phrases
from rag.llm import LLM, Warmable, make_chains, pinned
from rag.llm.price import total
from rag.llm.protocol import Sampling, complete
from rag.llm.reading import budget_tokens
from rag.observe.codec import without_content
from rag.observe.facts import failure_noted, of_answer, of_call, of_hit
from rag.observe.record import Recorder
from rag.observe.spool import open_spool
from rag.prompts import Prompt, load_prompt
from rag.roles import RULE_REWRITE, ChatRole
from rag.search import Searcher, check_question, standing_alone
from rag.settings import Settings
from rag.types import PUBLIC, Answer, Feedback, Generation, Hit, Passage, Scope, Turn, Usage
from rag.version import code_version
from rag.widen import widened

if TYPE_CHECKING:
    from rag.llama_index import EngineQueryEngine, EngineRetriever

__all__ = ["Delta", "Engine", "Event", "Stage"]

log = logging.getLogger("plumbline")


class Engine:
    """Retrieval, generation and checking over one index. Safe to share between threads."""

    def __init__(
        self, *, searcher: Searcher, answer: LLM, rewrite: LLM | None = None, judge: LLM | None = None
    ) -> None:
        """Hold the parts; `Engine.from_settings()` makes them."""
        settings = searcher.settings
        own = settings.generate.prompts_dir
        self.settings = settings
        self.searcher = searcher
        self.spool = open_spool(settings)
        self._purses = Purses(settings)
        self._answer = answer
        self._rewrite = rewrite
        self._drafter = Drafter(settings, judge)
        self._rewrite_prompt = load_prompt("rewrite", own=settings.root / own if own else None)
        self._expander = Expander(settings, rewrite) if settings.retrieve.expand != "none" else None

    @classmethod
    def from_settings(cls, settings: Settings) -> Engine:
        """An engine as the settings describe it. Raises ConfigError, WeightsError, ModelError or StoreError."""
        judging: tuple[ChatRole, ...] = ("judge",) if settings.verify.second_opinion else ()
        chains = make_chains(settings, "answer", "rewrite", *judging)
        searcher = Searcher.from_settings(settings)
        rewrite, judge = chains.get("rewrite"), chains.get("judge")
        return cls(searcher=searcher, answer=chains["answer"], rewrite=rewrite, judge=judge)

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts in use: answer, the three that weigh whether there is one, rewrite, and what adds queries."""
        expanding = (self._expander.prompt,) if self._expander else ()
        return *self._drafter.prompts, self._rewrite_prompt, *expanding

    def warm(self) -> None:
        """Begin loading a local answer model in the background, so that the first question waits less."""
        if isinstance(self._answer, Warmable):
            self._answer.warm(self._drafter.prefix)

    def search(self, question: str, *, limit: int | None = None, scope: Scope = PUBLIC) -> list[Hit]:
        """The best hits for a question within the scope, each with the score of every stage."""
        return self.searcher.search(question, limit=limit, scope=scope)

    def ask(self, question: str, *, history: Sequence[Turn] = (), scope: Scope = PUBLIC) -> Answer:
        """The checked answer to a question; `history` holds the earlier turns, oldest first, `scope` tells who asks.

        Raises InputError for an unusable question or an empty index, ModelError and StoreError when a part fails.
        """
        for event in self.stream(question, history=history, scope=scope):
            if isinstance(event, Answer):
                return event
        raise ModelError("the engine ended without an answer")

    def stream(
        self, question: str, *, history: Sequence[Turn] = (), session_id: str = "", scope: Scope = PUBLIC
    ) -> Generator[Event, None, None]:
        """Stages and pieces of the answer while it is written, then the checked Answer.

        What the model writes is shown as it comes; a Restart voids the pieces so far, as their model broke off. The
        Answer's text has the repaired citations, and takes the place of the pieces. An abandoned or failed stream
        leaves its trace too. Raises what `ask()` raises.
        """
        asked = check_question(question, max_chars=self.settings.limits.question_chars)
        recorder = Recorder("ask", question=asked)
        turns = tuple(history)[-self.settings.limits.history_turns :] if self.settings.limits.history_turns else ()
        facts, purse = self._facts(session_id, scope, turns), self._purses.purse(scope.user)
        try:
            answer = yield from self._run(recorder, asked, turns, scope, purse)
        except (GeneratorExit, KeyboardInterrupt):
            self._keep(recorder, status="abandoned", output=None, attributes={**facts, **facts_of(purse)})
            raise
        except Exception as error:
            # A defect of ours leaves its trace like a known failure.
            self._keep(
                recorder,
                status="failed",
                output=f"{type(error).__name__}: {error}",
                attributes={**facts, **facts_of(purse)},
            )
            raise
        self._keep(
            recorder, status="ok", output=answer.text, attributes={**facts, **facts_of(purse), **of_answer(answer)}
        )
        yield answer

    def as_retriever(self, *, limit: int | None = None, scope: Scope = PUBLIC) -> EngineRetriever:
        """This engine's search as a LlamaIndex retriever, for one scope."""
        from rag.llama_index import EngineRetriever

        return EngineRetriever(self, limit=limit, scope=scope)

    def as_query_engine(self, *, scope: Scope = PUBLIC) -> EngineQueryEngine:
        """This engine as a LlamaIndex query engine, for one scope: its responses are checked answers."""
        from rag.llama_index import EngineQueryEngine

        return EngineQueryEngine(self, scope=scope)

    def rate(self, trace_id: str, *, up: bool, comment: str = "") -> None:
        """Keep a thumb up or down with its comment on an answer's trace; a later one replaces it."""
        self.spool.add_feedback(Feedback(trace_id=trace_id, up=up, comment=comment, created_at=time.time()))

    def _run(
        self, recorder: Recorder, question: str, history: Sequence[Turn], scope: Scope, purse: Purse | None
    ) -> Generator[Progress, None, Answer]:
        query, rewriting = self._condense(recorder, question, history, purse)
        yield Stage(name="retrieve")
        queries, expanding = self._expand(recorder, query, purse)
        hits = self._retrieve(recorder, queries, scope)
        passages = self._choose(recorder, query, hits, scope)
        task = Task(
            recorder=recorder,
            question=question,
            history=history,
            passages=passages,
            terms=self.searcher.index.lexical.terms,
            scope=scope,
            purse=purse,
        )
        draft = yield from self._drafter.draft(task, pinned(self._answer, task.purse))
        checked, abstained = draft.checked, draft.is_withheld
        said = phrases(question, otherwise=self.settings.retrieve.language)
        rewrites = [call for call in (rewriting, expanding) if call]
        calls = (*draft.calls, *draft.opinions, *rewrites)
        return Answer(
            question=question,
            text=abstention(hits, said, tried=bool(checked.verdict.claims)) if abstained else checked.text,
            abstained=abstained,
            citations=() if abstained else checked.citations,
            verdict=checked.verdict,
            passages=passages,
            hits=tuple(hits),
            usage=sum((call.usage for call in calls), Usage()),
            cost=total(call.cost for call in calls),
            models=self._models({"answer": draft.calls, "rewrite": rewrites, "judge": draft.opinions}),
            trace_id=recorder.trace_id,
            timings_ms={**recorder.timings_ms(), "first_token": draft.first_token_ms},
        )

    def _condense(
        self, recorder: Recorder, question: str, history: Sequence[Turn], purse: Purse | None
    ) -> tuple[str, Generation | None]:
        """The text to search for: the question itself, or a follow-up made to stand alone."""
        if not history:
            return question, None
        if self._rewrite is None:
            with recorder.step("rewrite", "span") as step:
                query = standing_alone(question, history)
                step.note({"rule": RULE_REWRITE, "query": query})
            return query[-self.settings.limits.question_chars :], None
        messages = self._rewrite_prompt.render({"history": spoken(history), "question": question})
        with recorder.step("rewrite", "generation") as step:
            sampling = Sampling(temperature=0, max_tokens=100)
            with failure_noted(step):
                generation = complete(pinned(self._rewrite, purse), messages, sampling)
            step.note(of_call(generation, messages, self._rewrite_prompt, sampling))
        return generation.text.strip()[: self.settings.limits.question_chars] or question, generation

    def _expand(self, recorder: Recorder, query: str, purse: Purse | None) -> tuple[tuple[str, ...], Generation | None]:
        """The query, and what else is to be searched for; alone where that is not wanted, or the model fails."""
        expander = self._expander
        if expander is None:
            return (query,), None
        messages, call = expander.messages(query), None
        with recorder.step("expand", "generation") as step:
            try:
                with failure_noted(step):
                    call = complete(pinned(expander.llm, purse), messages, expander.sampling)
                step.note(of_call(call, messages, expander.prompt, expander.sampling))
            except ModelError as error:
                log.warning("the question is searched for as it is: %s", error)
                step.note({"failure": str(error)})
            queries = expander.queries(query, call.text if call else "")
            step.note({"queries": queries})
        return queries, call

    def _retrieve(self, recorder: Recorder, queries: Sequence[str], scope: Scope) -> list[Hit]:
        with recorder.step("retrieve", "retriever") as step:
            searched = [self.searcher.find(query, scope=scope) for query in queries]
            found = self._expander.fused(searched) if self._expander else searched[0]
            facts: dict[str, Any] = {
                "query": queries[0],
                "scope": asdict(scope),
                "dense_weight": round(found.dense_weight, 3),
            }
            facts |= {"rerank_failure": found.failure} if found.failure else {}
            step.note({**facts, "hits": [of_hit(hit) for hit in found.hits]})
            is_empty = self.searcher.retriever is None and not self.searcher.index.store.count()
            if not found.hits and is_empty:
                raise InputError("the index holds no documents", expected="some", remedy="fill it: plumb ingest PATH")
        return list(found.hits)

    def _choose(self, recorder: Recorder, query: str, hits: Sequence[Hit], scope: Scope) -> tuple[Passage, ...]:
        """What of the hits the model gets to read."""
        options, embedder = self.settings.context, self.searcher.index.embedder
        budget = budget_tokens(self._answer, usual=options.budget_tokens)
        with recorder.step("context", "span") as step:
            hits = widened(hits, self.searcher.index.store, neighbours=options.neighbours, scope=scope)
            if options.passages == "whole":
                passages = whole(hits, budget_tokens=budget, count=embedder.count)
            else:
                terms = self.searcher.index.lexical.terms
                passages = focus(query, hits, budget_tokens=budget, embedder=embedder, terms=terms)
            step.note(
                {
                    "budget_tokens": budget,
                    "passages": [{"marker": p.marker, "chunk_id": p.hit.chunk.id} for p in passages],
                }
            )
        return passages

    def _models(self, calls: Mapping[str, Sequence[Generation]]) -> dict[str, str]:
        asked = {role: made[-1].resolved_model for role, made in calls.items() if made}
        return {**asked, "embed": self.searcher.index.embedder.name}

    def _facts(self, session_id: str, scope: Scope, history: Sequence[Turn]) -> dict[str, Any]:
        facts = {"config_hash": self.settings.config_hash(), "code_version": code_version()}
        facts["index"] = self.searcher.opened.name
        readers = list(dict.fromkeys(each for turn in history for each in turn.readers))
        optional = {"session_id": session_id, "user_id": scope.user, "history_readers": readers}
        return {**facts, **{name: told for name, told in optional.items() if told}}

    def _keep(
        self,
        recorder: Recorder,
        *,
        status: Literal["ok", "failed", "abandoned"],
        output: Any,
        attributes: Mapping[str, Any],
    ) -> None:
        """Write the trace; a disk that refuses it costs the trace, never the answer."""
        if not self.settings.trace.enabled:
            return
        trace = recorder.finish(status=status, output=output, attributes=attributes)
        try:
            self.spool.add_trace(trace if self.settings.trace.content == "full" else without_content(trace))
        except StoreError as error:
            # Where the question failed too, its own error is what counts.
            level = logging.WARNING if status == "ok" else logging.DEBUG
            log.log(level, "the trace of this answer was not kept: %s", error)


def abstention(hits: Sequence[Hit], said: Phrases, *, tried: bool) -> str:
    """What the user reads instead of an answer; `tried` tells that the model wrote one that could not be confirmed."""
    if not hits:
        return said.nothing
    closest = list(dict.fromkeys(f"{hit.chunk.title} ({hit.chunk.uri})" for hit in hits))[:3]
    return f"{said.unconfirmed if tried else said.missing} {said.closest} {'; '.join(closest)}."
