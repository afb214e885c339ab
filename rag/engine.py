"""Answer a question over the corpus: condense -> retrieve -> context -> generate -> verify.

The spans of a question are opened by `gather.py`, `draft.py`, `asking.py`, `weigh.py`, `strategy/` and this.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from rag import abstention
from rag.asked import Asked
from rag.budget.purse import Purses, facts_of
from rag.cache import AnswerCache
from rag.draft import Draft, Drafter, Task
from rag.errors import ConfigError, ModelError, StoreError
from rag.events import Delta, Event, Progress, Stage
from rag.feedback import rate
from rag.gather import Gathered, Gatherer
from rag.language import phrases
from rag.llm import LLM, Warmable, make_chains
from rag.llm.price import total
from rag.observe.facts import of_answer, of_hit
from rag.observe.record import Recorder
from rag.observe.spool import open_spool
from rag.prompts import Prompt
from rag.roles import ChatRole
from rag.search import Searcher, check_question
from rag.settings import Settings
from rag.strategy import make_strategy
from rag.tags import checked_tags
from rag.types import PUBLIC, Answer, Feedback, Generation, Hit, Passage, Scope, Turn, Usage
from rag.version import code_version

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
        self.settings = settings
        self.searcher = searcher
        self.spool = open_spool(settings)
        self._purses = Purses(settings)
        self._answer = answer
        self._gatherer = Gatherer(searcher, reader=answer, rewrite=rewrite)
        self._drafter = Drafter(settings, judge)
        self._strategy = make_strategy(settings, self._drafter, answer)
        # Made anew when another version of the index is live.
        self._held: AnswerCache | None = None

    @classmethod
    def from_settings(cls, settings: Settings, *, version: str = "") -> Engine:
        """An engine as the settings describe it, over the live version of the index or the one named.

        Raises ConfigError, WeightsError, ModelError or StoreError.
        """
        judging: tuple[ChatRole, ...] = ("judge",) if settings.verify.second_opinion else ()
        chains = make_chains(settings, "answer", "rewrite", *judging)
        searcher = Searcher.from_settings(settings, version=version)
        rewrite, judge = chains.get("rewrite"), chains.get("judge")
        return cls(searcher=searcher, answer=chains["answer"], rewrite=rewrite, judge=judge)

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts in use: answer, those that weigh whether there is one, rewrite, and what adds queries."""
        return *self._drafter.prompts, *self._gatherer.prompts

    def pin_prompts(self) -> None:
        """Fetch the prompts that Langfuse keeps once more and stay with them: what is measured must not change."""
        self._drafter.pin_prompts()

    def warm(self) -> None:
        """Begin loading a local answer model in the background, so that the first question waits less."""
        if isinstance(self._answer, Warmable):
            self._answer.warm(self._drafter.prefix)

    def search(self, question: str, *, limit: int | None = None, scope: Scope = PUBLIC) -> list[Hit]:
        """The best hits for a question within the scope, each with the score of every stage."""
        return self.searcher.search(question, limit=limit, scope=scope)

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        session_id: str = "",
        tags: Sequence[str] = (),
        scope: Scope = PUBLIC,
    ) -> Answer:
        """The checked answer to a question; `history` holds the earlier turns, oldest first, `scope` tells who asks.

        `session_id` is what the questions of a conversation have in common; with `tags` the trace is found again.
        Raises InputError for an unusable question or tag or an empty index, ModelError and StoreError when a part
        fails.
        """
        for event in self.stream(question, history=history, session_id=session_id, tags=tags, scope=scope):
            if isinstance(event, Answer):
                return event
        raise ModelError("the engine ended without an answer")

    def stream(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        session_id: str = "",
        tags: Sequence[str] = (),
        scope: Scope = PUBLIC,
    ) -> Generator[Event, None, None]:
        """Stages and pieces of the answer while it is written, then the checked Answer.

        What the model writes is shown as it comes; a Restart voids the pieces so far: another model begins anew. The
        Answer's text has the repaired citations, and takes the place of the pieces. An abandoned or failed stream
        leaves its trace too. Raises what `ask()` raises.
        """
        yield from self._stream(self._asked(question, history, session_id, tags, scope), anew=False)

    def stream_anew(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        session_id: str = "",
        tags: Sequence[str] = (),
        scope: Scope = PUBLIC,
    ) -> Generator[Event, None, None]:
        """The same, and no answer that was given before is given again."""
        yield from self._stream(self._asked(question, history, session_id, tags, scope), anew=True)

    def _asked(
        self, question: str, history: Sequence[Turn], session_id: str, tags: Sequence[str], scope: Scope
    ) -> Asked:
        """The question as it is worked on; raises InputError for one that can't be used."""
        limits = self.settings.limits
        checked = check_question(question, max_chars=limits.question_chars)
        return Asked(
            recorder=Recorder("ask", question=checked),
            question=checked,
            history=tuple(history)[-limits.history_turns :] if limits.history_turns else (),
            scope=scope,
            purse=self._purses.purse(scope.user),
            session_id=session_id,
            tags=checked_tags(tags, limits),
        )

    def _stream(self, asked: Asked, *, anew: bool) -> Generator[Event, None, None]:
        recorder, purse = asked.recorder, asked.purse
        facts = self._facts(asked)
        try:
            answer = yield from self._run(asked, anew=anew)
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

    def rate(self, feedback: Feedback, *, scope: Scope = PUBLIC) -> None:
        """Keep what whoever has this scope says of an answer; it replaces what the same user said of it before.

        What is rated down is not given again. Raises InputError for what can't be said of this trace, as
        `rag.feedback.rate()` does.
        """
        rate(self.spool, feedback, scope, max_chars=self.settings.limits.feedback_chars)

    def _run(self, asked: Asked, *, anew: bool) -> Generator[Progress, None, Answer]:
        yield Stage(name="retrieve")
        cache = None if asked.history else self._cache()
        if cache and not anew and (given := self._given(cache, asked)):
            return given
        found = self._gatherer.gather(asked)
        passages = self._gatherer.passages(asked, found)
        terms = self.searcher.index.lexical.terms
        draft = yield from self._strategy.draft(Task(asked=asked, passages=passages, terms=terms))
        answer = self._answered(asked, found, passages, draft)
        if cache and draft.is_settled:
            cache.keep(answer, asked.scope, found=found.plain)
        return answer

    def _given(self, cache: AnswerCache, asked: Asked) -> Answer | None:
        """The answer that was given to the same question before, if it may be given again."""
        with asked.recorder.step("cache", "span") as step:
            given = cache.find(asked.question, asked.scope, search=partial(self.search, scope=asked.scope))
            step.note({"given_before": given.given_before if given else ""})
            # Who may see the trace is told by these, too: they need not be among the hits.
            step.note({"hits": [of_hit(passage.hit) for passage in given.passages]} if given else {})
        if given is None:
            return None
        timings = asked.recorder.timings_ms()
        timings["first_token"] = timings["total"]
        return replace(given, trace_id=asked.recorder.trace_id, timings_ms=timings)

    def _answered(self, asked: Asked, found: Gathered, passages: tuple[Passage, ...], draft: Draft) -> Answer:
        checked, kind = draft.checked, draft.abstention
        said = phrases(asked.question, otherwise=self.settings.retrieve.language)
        calls = (*draft.calls, *draft.opinions, *found.calls)
        return Answer(
            question=asked.question,
            query=found.query,
            text=abstention.told(kind, found.query, found.hits, said) if kind else checked.text,
            abstention=kind,
            citations=() if kind else checked.citations,
            verdict=checked.verdict,
            passages=passages,
            hits=found.hits,
            usage=sum((call.usage for call in calls), Usage()),
            cost=total([*(call.cost for call in calls), *(attempt.cost for attempt in draft.lost)]),
            models=self._models(draft.model, {"rewrite": found.calls, "judge": draft.opinions}),
            trace_id=asked.recorder.trace_id,
            timings_ms={**asked.recorder.timings_ms(), "first_token": draft.first_token_ms},
            history_readers=asked.history_readers,
        )

    def _cache(self) -> AnswerCache | None:
        """The answers that were given from the version that is live, where they are kept."""
        if not self.settings.cache.enabled or self._drafter.is_trial:
            # An answer by one prompt, given again to a question of the other, would count for neither.
            return None
        index, held, prompts = self.searcher.opened, self._held, self.prompts
        if held is None or held.index is not index or held.prompts != prompts:
            if held:
                held.close()
            held = self._held = AnswerCache(self.settings, index, prompts, is_rejected=self.spool.is_rated_down)
        return held

    def _models(self, answered: str, others: Mapping[str, Sequence[Generation]]) -> dict[str, str]:
        asked = {role: made[-1].resolved_model for role, made in others.items() if made}
        return {**({"answer": answered} if answered else {}), "embed": self.searcher.index.embedder.name, **asked}

    def _facts(self, asked: Asked) -> dict[str, Any]:
        facts = {"config_hash": self.settings.config_hash(), "code_version": code_version()}
        facts["index"] = self.searcher.opened.name
        optional = {
            "session_id": asked.session_id,
            "user_id": asked.scope.user,
            "tags": list(asked.tags),
            "history_readers": list(asked.history_readers),
            "history": [{"question": turn.question, "answer": turn.answer} for turn in asked.history],
        }
        return {**facts, **{name: told for name, told in optional.items() if told}}

    def _keep(
        self,
        recorder: Recorder,
        *,
        status: Literal["ok", "failed", "abandoned"],
        output: Any,
        attributes: Mapping[str, Any],
    ) -> None:
        """Write the trace; a disk that refuses it, or a mask that fails, costs the trace, never the answer."""
        if not self.settings.trace.enabled:
            return
        trace = recorder.finish(status=status, output=output, attributes=attributes)
        try:
            self.spool.add_trace(trace)
        except (StoreError, ConfigError) as error:
            # Where the question failed too, its own error is what counts.
            level = logging.WARNING if status == "ok" else logging.DEBUG
            log.log(level, "the trace of this answer was not kept: %s", error)
