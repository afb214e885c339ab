"""Drift of what people asked: the answers of the last days against those before, from the traces kept here.

Questions differ, so nothing is paired; whether they changed too is looked at first.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from evals.drift import attribute
from evals.drift.canaries import Canary, Spoken
from evals.drift.compare import Report, Side, judged, outcome_of
from evals.drift.content import meanings
from evals.drift.correct import level_of
from evals.drift.observation import Circumstances, Said
from evals.drift.signals import signals
from evals.drift.unit import Unit, unit
from rag.embed.protocol import Embedder
from rag.observe.filter import Filter
from rag.observe.spool import Spool
from rag.types import Trace

# So many answers of each side are looked at, drawn evenly.
MOST = 400
LEAST = 10
SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of a time: traces of questions that people asked, newest first. Times are Unix times."""

    traces: tuple[Trace, ...]
    of: int
    since: float
    until: float


def answers(spool: Spool, *, since: float, until: float, model: str = "") -> Answers:
    """A sample of the answers between two times; answers that were given again are left out, nobody wrote them."""
    wanted = Filter(name="ask", status="ok", since=since, until=until, is_live=True, model=model)
    rows = spool.traces(wanted, limit=20 * MOST)
    drawn = random.Random(SEED).sample(rows, min(MOST, len(rows)))  # noqa: S311 - a sample, no secret
    found = [spool.trace(row.id) for row in drawn]
    return Answers(
        traces=tuple(trace for trace in found if not trace.attributes.get("given_before")),
        of=len(rows),
        since=since,
        until=until,
    )


def compare_live(before: Answers, after: Answers, *, embedder: Embedder | None, look: int = 1) -> Report:
    """Form and content of the answers of two times; whether they are right nobody can tell here."""
    ours, theirs = _units(before.traces, embedder), _units(after.traces, embedder)
    found, missing, unknown = judged(ours, theirs, look=look, paired=False)
    if min(len(ours), len(theirs)) < LEAST:
        unknown = (f"too few answers: {len(ours)} before, {len(theirs)} after, {LEAST} of each would do",)
        found = tuple(replace(signal, fires=False) for signal in found)
    missing = {**{name: why for name, why in missing.items() if name != "same prompt"},
               "right": "nobody says what would be right"}  # fmt: skip
    model = attribute.model_changes(_said(before.traces), _said(after.traces))
    changes = attribute.our_changes(_circumstances(before.traces), _circumstances(after.traces), searches=True)
    outcome = outcome_of(found, model, unknown)
    return Report(
        reference=_side(before, "before"),
        now=_side(after, "after"),
        outcome=outcome,
        paired=False,
        prompts=len(theirs),
        left_out=0,
        look=look,
        level=level_of(look),
        signals=found,
        missing=missing,
        model=tuple(model),
        ours=tuple(changes),
        aside=(),
        attribution=attribute.attribute(model, changes) if outcome == "drift" else None,
        unknown=unknown,
        notes={"questions": _questions(before.traces, after.traces, embedder, level=level_of(look))},
    )


def _units(traces: Sequence[Trace], embedder: Embedder | None) -> list[Unit]:
    """A unit for each question; one that was asked several times counts once."""
    groups: dict[str, list[Trace]] = {}
    for trace in traces:
        groups.setdefault(" ".join(str(trace.input).casefold().split()), []).append(trace)
    known = meanings([str(trace.output) for trace in traces], embedder) if embedder else {}
    made = []
    for question, group in groups.items():
        given = [trace for trace in group if not trace.attributes.get("abstained")]
        asked = Canary(id=question, messages=(Spoken(role="user", content=question or "?"),))
        one = unit(asked, _said(given), known) if given else Unit(id=question, digest="")
        shares = {name: share for name, share in one.shares.items() if name not in ("refusals", "readable")}
        shares["refusals"] = 1 - len(given) / len(group)
        supported = [share for trace in given if (share := trace.attributes.get("supported_share")) is not None]
        if supported:
            shares["supported"] = sum(supported) / len(supported)
        made.append(replace(one, shares=shares))
    return made


def _said(traces: Sequence[Trace]) -> list[Said]:
    return [
        Said(
            canary=trace.id,
            text=str(trace.output),
            requested_model=str(facts.get("model", "")),
            resolved_model=str(facts.get("resolved_model", "")),
            fingerprint=str(facts.get("fingerprint") or ""),
            finish_reason=str(facts.get("finish_reason") or ""),
            asked_at=trace.started_at,
        )
        for trace in traces
        for facts in [_call(trace)]
    ]


def _call(trace: Trace) -> dict[str, Any]:
    """The facts of the call that wrote the answer: the last one of a model in the trace."""
    calls = [step.attributes for step in trace.steps if step.kind == "generation" and step.name == "generate"]
    others = [step.attributes for step in trace.steps if step.kind == "generation"]
    return dict((calls or others or [{}])[-1])


def _circumstances(traces: Sequence[Trace]) -> Circumstances:
    prompts: dict[str, set[str]] = {}
    for facts in map(_call, traces):
        if facts.get("prompt_id"):
            told = f"{facts.get('prompt_version', '')} ({facts.get('prompt_sha', '')})"
            prompts.setdefault(str(facts["prompt_id"]), set()).add(told)
    return Circumstances(
        prompts={name: ", ".join(sorted(versions)) for name, versions in prompts.items()},
        index=_each(traces, "index"),
        config_hash=_each(traces, "config_hash"),
        code_version=_each(traces, "code_version"),
    )


def _each(traces: Sequence[Trace], name: str) -> str:
    return ", ".join(sorted({str(trace.attributes.get(name, "")) for trace in traces} - {""}))


def _side(answers: Answers, name: str) -> Side:
    resolved = [said.resolved_model for said in _said(answers.traces)]
    begin, end = (datetime.fromtimestamp(t, UTC).isoformat(timespec="minutes") for t in (answers.since, answers.until))
    return Side(
        id=f"live {begin} to {end}",
        name=name,
        at=begin,
        source=f"live traffic, {len(answers.traces)} of {answers.of} answers",
        asked=len(answers.traces),
        failed=0,
        models={model: resolved.count(model) for model in sorted(set(resolved)) if model},
    )


def _questions(before: Sequence[Trace], after: Sequence[Trace], embedder: Embedder | None, *, level: float) -> str:
    if embedder is None:
        return "whether the questions changed could not be found out without an embedder"
    sides = []
    for traces in (before, after):
        asked = list(dict.fromkeys(str(trace.input) for trace in traces))
        known = meanings(asked, embedder)
        sides.append([Unit(id=text, digest="", vectors={"meaning": known[text]}) for text in asked if text in known])
    found = next((one for one in signals(*sides, paired=False)[0] if one.name == "meaning"), None)
    if found is None:
        return "whether the questions changed could not be found out"
    about = f"effect {found.effect:+.2f}, p {found.p:.2g}"
    if found.p <= level:
        return f"the questions changed too ({about}): what differs below may be theirs, not the model's"
    return f"the questions are not measurably others ({about})"
