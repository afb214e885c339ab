"""Answers that people judged, with what their model was sent: the raw material of training data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rag.errors import InputError
from rag.observe.filter import Filter
from rag.observe.mask import Mask
from rag.observe.restricted import visible
from rag.observe.spool import Spool
from rag.reply import refuses
from rag.types import PUBLIC, Feedback, Message, Step, Trace

# More of the latest judged answers are not looked at.
MOST = 100_000
# What a case was made of, or what was mended since: somebody looked at it and agreed.
CONFIRMED = ("case", "fixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An answer that somebody rated or corrected.

    `trace_id` is that of the answer when it was first given, `query` the question as it stands alone, `answer` what was
    shown, or the model's own refusal; '' for nothing, and for what the model wrote and nobody saw. `correction` is what
    a confirmed case expects, else the last that was given, '' for none. `model` is who answered, `prompt` id and
    version. `raters` are those who judged it, by name.
    """

    trace_id: str
    asked_at: float
    session: str
    query: str
    messages: tuple[Message, ...]
    answer: str
    is_declined: bool
    is_up: bool
    is_down: bool
    correction: str
    model: str
    prompt: str
    index_version: str
    raters: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which judged answers: since a Unix time, of triage state `case` or `fixed` alone, with restricted passages.

    `mask` takes out of all texts what names a person. `right` are the right answers that a person confirmed, by trace.
    """

    mask: Mask
    since: float | None = None
    confirmed: bool = False
    restricted: bool = False
    right: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The judged answers, oldest first, and how many were left out, by reason."""

    judged: tuple[Judged, ...]
    left_out: Mapping[str, int]


def find_judged(spool: Spool, wanted: Wanted) -> Found:
    """The answers that somebody rated or corrected.

    One that was given again counts with the answer it repeats: what is said of either is said of both.
    """
    confirmed = {one for one, (decision, _) in spool.decided().items() if decision in CONFIRMED}
    found, left_out = [], Counter[str]()
    for origin, given in _by_origin(spool, wanted.since).items():
        ids = [trace.id for trace in given]
        if wanted.confirmed and not confirmed.intersection([origin, *ids]):
            left_out["not confirmed"] += 1
            continue
        said = [one for trace_id in dict.fromkeys([origin, *ids]) for one in spool.feedback(trace_id)]
        one, reason = _judged(_first(spool, origin), given, said, wanted)
        if one:
            found.append(one)
        else:
            left_out[reason] += 1
    return Found(judged=tuple(sorted(found, key=lambda one: (one.asked_at, one.trace_id))), left_out=dict(left_out))


def _by_origin(spool: Spool, since: float | None) -> dict[str, list[Trace]]:
    """The judged traces under the id of the answer that they gave, or gave again."""
    rated = Filter(name="ask", is_live=True, since=since, rated="any")
    faulted = Filter(name="ask", is_live=True, since=since, is_complaint=True)
    rows = [*spool.traces(rated, limit=MOST), *spool.traces(faulted, limit=MOST)]
    grouped: dict[str, list[Trace]] = {}
    for trace_id in dict.fromkeys(row.id for row in rows):
        if any(one.up is not None or one.correction for one in spool.feedback(trace_id)):
            trace = spool.trace(trace_id)
            grouped.setdefault(str(trace.attributes.get("given_before") or trace.id), []).append(trace)
    return grouped


def _first(spool: Spool, origin: str) -> Trace | None:
    try:
        return spool.trace(origin)
    except InputError:
        return None


def _judged(
    first: Trace | None, given: Sequence[Trace], said: Sequence[Feedback], wanted: Wanted
) -> tuple[Judged | None, str]:
    """The judged answer, or why it is left out."""
    if first is None:
        return None, "its first trace is gone"
    if not wanted.restricted and any(visible(trace, PUBLIC) is not trace for trace in (first, *given)):
        return None, "restricted"
    if first.status != "ok":
        return None, "failed or stopped"
    if not (isinstance(first.input, str) and first.input):
        return None, "no texts"
    step = _generation(first)
    messages = _messages(step) if step else ()
    if step is None or not messages:
        return None, "no model wrote it"
    right = next((wanted.right[trace.id] for trace in (first, *given) if trace.id in wanted.right), _last(said))
    return _masked(_made(first, step, messages, said, right), wanted.mask), ""


def _shown(first: Trace, wrote: str) -> str:
    """What the person who judged it had read, as far as it is the model's: a refusal stands for what we say then."""
    if first.attributes.get("abstained"):
        return wrote if refuses(wrote) else ""
    return str(first.output or "")


def _last(said: Sequence[Feedback]) -> str:
    """The correction that was given last."""
    corrections = [one.correction for one in sorted(said, key=lambda one: one.changed_at) if one.correction.strip()]
    return corrections[-1] if corrections else ""


def _masked(one: Judged, mask: Mask) -> Judged:
    return replace(
        one,
        messages=tuple(Message(role=said.role, content=mask(said.content)) for said in one.messages),
        answer=mask(one.answer).strip(),
        correction=mask(one.correction).strip(),
    )


def _made(first: Trace, step: Step, messages: tuple[Message, ...], said: Sequence[Feedback], right: str) -> Judged:
    facts, made = first.attributes, step.attributes
    is_declined = bool(facts.get("abstained"))
    queries = [str(one.attributes["query"]) for one in first.steps if one.attributes.get("query")]
    return Judged(
        trace_id=first.id,
        asked_at=first.started_at,
        session=str(facts.get("session_id") or ""),
        query=queries[0] if queries else str(first.input),
        messages=messages,
        answer=_shown(first, str(made.get("output") or "")),
        is_declined=is_declined,
        is_up=any(one.up is True for one in said),
        is_down=any(one.up is False for one in said),
        correction=right,
        model=str(made.get("resolved_model") or made.get("model") or ""),
        prompt=f"{made.get('prompt_id', '')}@{made.get('prompt_version', '')}",
        index_version=str(facts.get("index") or ""),
        raters=tuple(dict.fromkeys(one.user for one in said if one.up is not None or one.correction)),
    )


def _generation(trace: Trace) -> Step | None:
    """The call that wrote the answer: of several models' that of the one which was chosen."""
    steps = [step for step in trace.steps if step.name == "generate" and step.kind == "generation" and not step.error]
    answered = dict(trace.attributes.get("models", {})).get("answer")
    chosen = [step for step in steps if step.attributes.get("resolved_model") == answered]
    return next(reversed(chosen or steps), None)


def _messages(step: Step) -> tuple[Message, ...]:
    told: Iterable[Mapping[str, Any]] = step.attributes.get("messages") or ()
    made = tuple(Message(role=one["role"], content=str(one.get("content") or "")) for one in told if one.get("role"))
    return made if any(one.content for one in made) else ()
