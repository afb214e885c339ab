"""Answer a question over the corpus: condense -> retrieve -> context -> generate -> verify.

The only file that opens the spans of a question.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from rag.context import shown, whole
from rag.errors import InputError, ModelError, StoreError
from rag.focus import focus
from rag.llm import LLM, Restart, Warmable, make_chains, pinned
from rag.llm.price import total
from rag.llm.protocol import Sampling, complete
from rag.observe.codec import without_content
from rag.observe.record import OpenStep, Recorder
from rag.observe.spool import open_spool
from rag.prompts import Prompt, load_prompt
from rag.reply import YES_NO, Reply, answerable
from rag.roles import RULE_REWRITE
from rag.search import Searcher, check_question, standing_alone
from rag.settings import Settings
from rag.types import Answer, Attempt, Feedback, Generation, Hit, Message, Passage, Turn, Usage, Verdict
from rag.verify import Checked, Thresholds, verify
from rag.version import code_version
from rag.widen import widened

if TYPE_CHECKING:
    from rag.llama_index import EngineQueryEngine, EngineRetriever

# Enough for a number, a name or a condition; each more is a wait before the first word.
PROPOSAL_TOKENS = 20
NO_ANSWER = Checked(text="", citations=(), verdict=Verdict(claims=()))

log = logging.getLogger("plumbline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The engine begins a part of its work."""

    name: Literal["retrieve", "generate", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of the answer as the model writes it, before it is checked."""

    text: str


# After a Restart the pieces before it are void: the answer begins anew.
Event = Stage | Delta | Restart | Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    """How likely the passages hold the answer, 0 to 1, and the calls it took to find out."""

    chance: float
    calls: tuple[Generation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """What one question has the answer model do: `values` fill the prompts."""

    recorder: Recorder
    llm: LLM
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What came of reading: the answer (None when the passages don't hold one) and the model's calls."""

    text: str | None
    calls: tuple[Generation, ...]
    first_token_ms: float


class Engine:
    """Retrieval, generation and checking over one index. Safe to share between threads."""

    def __init__(self, *, searcher: Searcher, answer: LLM, rewrite: LLM | None = None) -> None:
        """Hold the parts; `Engine.from_settings()` makes them."""
        settings = searcher.settings
        own = settings.generate.prompts_dir
        prompts = settings.root / own if own else None
        self.settings = settings
        self.searcher = searcher
        self.spool = open_spool(settings)
        self._answer = answer
        self._rewrite = rewrite
        self._answer_prompt = load_prompt(settings.generate.prompt, own=prompts)
        self._prior_prompt = load_prompt("prior", own=prompts)
        self._propose_prompt = load_prompt("propose", own=prompts)
        self._confirm_prompt = load_prompt("confirm", own=prompts)
        self._rewrite_prompt = load_prompt("rewrite", own=prompts)

    @classmethod
    def from_settings(cls, settings: Settings) -> Engine:
        """An engine as the settings describe it. Raises ConfigError, WeightsError, ModelError or StoreError."""
        chains = make_chains(settings, "answer", "rewrite")
        searcher = Searcher.from_settings(settings)
        return cls(searcher=searcher, answer=chains["answer"], rewrite=chains.get("rewrite"))

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts in use: answer, the three that weigh whether there is one, and rewrite."""
        weighing = (self._prior_prompt, self._propose_prompt, self._confirm_prompt)
        return self._answer_prompt, *weighing, self._rewrite_prompt

    def warm(self) -> None:
        """Begin loading a local answer model in the background, so that the first question waits less."""
        if isinstance(self._answer, Warmable):
            self._answer.warm([message for message in self._answer_prompt.messages if message.role == "system"])

    def search(self, question: str, *, limit: int | None = None) -> list[Hit]:
        """The best hits for a question, each with the score of every stage."""
        return self.searcher.search(question, limit=limit)

    def ask(self, question: str, *, history: Sequence[Turn] = ()) -> Answer:
        """The checked answer to a question; `history` holds the earlier turns, oldest first.

        Raises InputError for an unusable question or an empty index, ModelError and StoreError when a part fails.
        """
        for event in self.stream(question, history=history):
            if isinstance(event, Answer):
                return event
        raise ModelError("the engine ended without an answer")

    def stream(
        self, question: str, *, history: Sequence[Turn] = (), session_id: str = ""
    ) -> Generator[Event, None, None]:
        """Stages and pieces of the answer while it is written, then the checked Answer.

        What the model writes is shown as it comes; a Restart voids the pieces so far, as their model broke off. The
        Answer's text has the repaired citations, and takes the place of the pieces. An abandoned or failed stream
        leaves its trace too. Raises what `ask()` raises.
        """
        asked = check_question(question, max_chars=self.settings.limits.question_chars)
        recorder = Recorder("ask", question=asked)
        facts = self._facts(session_id)
        try:
            turns = tuple(history)[-self.settings.limits.history_turns :] if self.settings.limits.history_turns else ()
            answer = yield from self._run(recorder, asked, turns)
        except (GeneratorExit, KeyboardInterrupt):
            self._keep(recorder, status="abandoned", output=None, attributes=facts)
            raise
        except Exception as error:
            # A defect of ours leaves its trace like a known failure.
            self._keep(recorder, status="failed", output=f"{type(error).__name__}: {error}", attributes=facts)
            raise
        self._keep(recorder, status="ok", output=answer.text, attributes={**facts, **_outcome(answer)})
        yield answer

    def as_retriever(self, *, limit: int | None = None) -> EngineRetriever:
        """This engine's search as a LlamaIndex retriever."""
        from rag.llama_index import EngineRetriever

        return EngineRetriever(self, limit=limit)

    def as_query_engine(self) -> EngineQueryEngine:
        """This engine as a LlamaIndex query engine: its responses are checked answers."""
        from rag.llama_index import EngineQueryEngine

        return EngineQueryEngine(self)

    def rate(self, trace_id: str, *, up: bool, comment: str = "") -> None:
        """Keep a thumb up or down with its comment on an answer's trace; a later one replaces it."""
        self.spool.add_feedback(Feedback(trace_id=trace_id, up=up, comment=comment, created_at=time.time()))

    def _run(
        self, recorder: Recorder, question: str, history: Sequence[Turn]
    ) -> Generator[Stage | Delta | Restart, None, Answer]:
        query, rewriting = self._condense(recorder, question, history)
        yield Stage(name="retrieve")
        hits = self._retrieve(recorder, query)
        passages = self._choose(recorder, query, hits)
        yield Stage(name="generate")
        asking = _Asking(recorder=recorder, llm=pinned(self._answer), values=_values(question, history, passages))
        read = yield from self._read(asking)
        yield Stage(name="verify")
        checked = self._check(recorder, question, read.text, passages) if read.text is not None else NO_ANSWER
        abstained = self._withheld(checked)
        calls = (*read.calls, *((rewriting,) if rewriting else ()))
        return Answer(
            question=question,
            text=abstention(hits, tried=bool(checked.verdict.claims)) if abstained else checked.text,
            abstained=abstained,
            citations=() if abstained else checked.citations,
            verdict=checked.verdict,
            passages=passages,
            hits=tuple(hits),
            usage=sum((call.usage for call in calls), Usage()),
            cost=total(call.cost for call in calls),
            models=self._models(read.calls, rewriting),
            trace_id=recorder.trace_id,
            timings_ms={**recorder.timings_ms(), "first_token": read.first_token_ms},
        )

    def _condense(self, recorder: Recorder, question: str, history: Sequence[Turn]) -> tuple[str, Generation | None]:
        """The text to search for: the question itself, or a follow-up made to stand alone."""
        if not history:
            return question, None
        if self._rewrite is None:
            with recorder.step("rewrite", "span") as step:
                query = standing_alone(question, history)
                step.note({"rule": RULE_REWRITE, "query": query})
            return query[-self.settings.limits.question_chars :], None
        messages = self._rewrite_prompt.render({"history": _spoken(history), "question": question})
        with recorder.step("rewrite", "generation") as step:
            sampling = Sampling(temperature=0, max_tokens=100)
            with _failure_noted(step):
                generation = complete(self._rewrite, messages, sampling)
            step.note(_call_facts(generation, messages, self._rewrite_prompt, sampling))
        return generation.text.strip()[: self.settings.limits.question_chars] or question, generation

    def _retrieve(self, recorder: Recorder, query: str) -> list[Hit]:
        with recorder.step("retrieve", "retriever") as step:
            found = self.searcher.find(query)
            facts = {"query": query, "dense_weight": round(found.dense_weight, 3)}
            facts |= {"rerank_failure": found.failure} if found.failure else {}
            step.note({**facts, "hits": [_hit_facts(hit) for hit in found.hits]})
            if not found.hits:
                raise InputError("the index holds no documents", expected="some", remedy="fill it: plumb ingest PATH")
        return list(found.hits)

    def _choose(self, recorder: Recorder, query: str, hits: Sequence[Hit]) -> tuple[Passage, ...]:
        """What of the hits the model gets to read."""
        options, embedder = self.settings.context, self.searcher.index.embedder
        with recorder.step("context", "span") as step:
            hits = widened(hits, self.searcher.index.store, neighbours=options.neighbours)
            if options.passages == "whole":
                passages = whole(hits, budget_tokens=options.budget_tokens, count=embedder.count)
            else:
                terms = self.searcher.index.lexical.terms
                passages = focus(query, hits, budget_tokens=options.budget_tokens, embedder=embedder, terms=terms)
            step.note({"passages": [{"marker": p.marker, "chunk_id": p.hit.chunk.id} for p in passages]})
        return passages

    def _read(self, asking: _Asking) -> Generator[Delta | Restart, None, _Reading]:
        """Weigh whether the passages hold the answer, where that is wanted; unless they don't, let the model write."""
        options, recorder = self.settings.generate, asking.recorder
        if not asking.values["passages"]:
            return _Reading(text=None, calls=(), first_token_ms=recorder.elapsed_ms())
        weighed = self._weigh(asking) if options.answerable_at > 0 else _Weighed(chance=1.0, calls=())
        if weighed.chance < options.answerable_at:
            return _Reading(text=None, calls=weighed.calls, first_token_ms=recorder.elapsed_ms())
        reply = yield from self._generate(asking)
        return _Reading(
            text=None if reply.declined else reply.call.text,
            calls=(*weighed.calls, reply.call),
            first_token_ms=reply.first_token_ms or recorder.elapsed_ms(),
        )

    def _weigh(self, asking: _Asking) -> _Weighed:
        """Whether the passages hold the answer: the model proposes one and is asked whether they say it.

        What counts is how much they changed its mind: it was asked first what it expects without having read them.
        """
        word = Sampling(temperature=0, max_tokens=1, choices=YES_NO)
        try:
            # Before the passages, not after: the server keeps what it read last, and the answer begins with them too.
            prior = self._call(asking, self._prior_prompt, word)
            proposed = self._call(asking, self._propose_prompt, Sampling(temperature=0, max_tokens=PROPOSAL_TOKENS))
            values = {**asking.values, "proposal": proposed.text.strip()}
            confirmed = self._call(replace(asking, values=values), self._confirm_prompt, word)
        except ModelError as error:
            # A reasoning model refuses so few tokens. The answer can do without, and shows what else is wrong.
            if error.retryable:
                raise
            return _Weighed(chance=1.0, calls=())
        with asking.recorder.step("weigh", "evaluator") as step:
            chance = answerable(prior, proposed, confirmed)
            step.note({"chance": chance, "answerable_at": self.settings.generate.answerable_at})
        return _Weighed(chance=chance, calls=(prior, proposed, confirmed))

    def _call(self, asking: _Asking, prompt: Prompt, sampling: Sampling) -> Generation:
        """One short call of the answer model, as a step called like its prompt."""
        messages = prompt.render(asking.values)
        with asking.recorder.step(prompt.id, "generation") as step:
            with _failure_noted(step):
                generation = complete(asking.llm, messages, sampling)
            step.note(_call_facts(generation, messages, prompt, sampling))
        return generation

    def _generate(self, asking: _Asking) -> Generator[Delta | Restart, None, Reply]:
        """Let the answer model write."""
        options, prompt, recorder = self.settings.generate, self._answer_prompt, asking.recorder
        sampling = Sampling(temperature=options.temperature, max_tokens=options.max_tokens)
        messages = prompt.render(asking.values)
        with recorder.step("generate", "generation") as step:
            reply = Reply()
            with _failure_noted(step):
                for piece in asking.llm.stream(messages, sampling):
                    if isinstance(piece, Restart):
                        reply = Reply()
                        yield piece
                    elif shown := reply.take(piece, at_ms=recorder.elapsed_ms()):
                        yield Delta(text=shown)
            step.note(_call_facts(reply.call, messages, prompt, sampling))
            step.note({"declined": reply.declined})
        return reply

    def _check(self, recorder: Recorder, question: str, text: str, passages: Sequence[Passage]) -> Checked:
        settings = self.settings.verify
        with recorder.step("verify", "evaluator") as step:
            checked = verify(
                text,
                passages,
                question=question,
                terms=self.searcher.index.lexical.terms,
                thresholds=Thresholds(supported_at=settings.supported_at, partly_at=settings.partly_at),
            )
            share = checked.verdict.supported_share or 0.0
            step.note({"claims": [asdict(claim) for claim in checked.verdict.claims], "supported_share": share})
        return checked

    def _withheld(self, checked: Checked) -> bool:
        """Whether there is no answer to show: the model declined, or nothing of what it wrote is supported."""
        hopeless = all(claim.support in ("unsupported", "contradicted") for claim in checked.verdict.claims)
        return not checked.text or (hopeless and self.settings.verify.abstain_unsupported)

    def _models(self, calls: Sequence[Generation], rewriting: Generation | None) -> dict[str, str]:
        asked = {"answer": calls[-1].resolved_model} if calls else {}
        rewrote = {"rewrite": rewriting.resolved_model} if rewriting else {}
        return {**asked, "embed": self.searcher.index.embedder.name, **rewrote}

    def _facts(self, session_id: str) -> dict[str, Any]:
        facts = {"config_hash": self.settings.config_hash(), "code_version": code_version()}
        facts["index"] = self.searcher.opened.name
        return {**facts, **({"session_id": session_id} if session_id else {})}

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


def abstention(hits: Sequence[Hit], *, tried: bool) -> str:
    """What the user reads instead of an answer; `tried` tells that the model wrote one that could not be confirmed."""
    found = "The documents don't confirm what the model answered." if tried else "The documents don't hold the answer."
    closest = list(dict.fromkeys(f"{hit.chunk.title} ({hit.chunk.uri})" for hit in hits))[:3]
    return f"{found} Closest: {'; '.join(closest)}."


def _values(question: str, history: Sequence[Turn], passages: Sequence[Passage]) -> dict[str, str]:
    """What the prompts about passages are filled with."""
    read = "\n\n".join(shown(passage) for passage in passages)
    return {"passages": read, "history": _spoken(history[-1:]), "question": question}


def _spoken(history: Sequence[Turn]) -> str:
    return "".join(f"Earlier question: {turn.question}\nEarlier answer: {turn.answer}\n" for turn in history)


@contextmanager
def _failure_noted(step: OpenStep) -> Iterator[None]:
    """Note on the step which models were asked in vain."""
    try:
        yield
    except ModelError as error:
        step.note({"attempts": [asdict(each) for each in error.attempts if isinstance(each, Attempt)]})
        raise


def _hit_facts(hit: Hit) -> dict[str, Any]:
    chunk = hit.chunk
    return {
        "chunk_id": chunk.id,
        "uri": chunk.uri,
        "page": chunk.page,
        "headings": list(chunk.headings),
        "text": chunk.text,
        "revision": chunk.revision,
        "score": hit.score,
        "scores": dict(hit.scores),
    }


def _call_facts(
    generation: Generation, messages: Sequence[Message], prompt: Prompt, sampling: Sampling
) -> dict[str, Any]:
    return {
        "model": generation.requested_model,
        "resolved_model": generation.resolved_model,
        "fingerprint": generation.fingerprint,
        "finish_reason": generation.finish_reason,
        "parameters": asdict(sampling),
        "messages": [asdict(message) for message in messages],
        "output": generation.text,
        "chances": dict(generation.chances),
        "usage": asdict(generation.usage),
        "cost": generation.cost,
        "first_token_ms": generation.first_token_ms,
        "attempts": [asdict(attempt) for attempt in generation.attempts],
        "prompt_id": prompt.id,
        "prompt_version": prompt.version,
        "prompt_sha": prompt.sha,
    }


def _outcome(answer: Answer) -> dict[str, Any]:
    return {
        "abstained": answer.abstained,
        "citations": [asdict(citation) for citation in answer.citations],
        "supported_share": answer.verdict.supported_share,
        "verdict": asdict(answer.verdict),
        "models": dict(answer.models),
        "usage": asdict(answer.usage),
        "cost": answer.cost,
        "timings_ms": dict(answer.timings_ms),
    }
