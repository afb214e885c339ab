"""Two runs case by case: what of them can be held against each other, and what can't and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evals.metrics import METRICS, Metric, mean
from evals.records import Record, Run
from rag.case import Case
from rag.errors import InputError
from rag.terminal import number_of

Why = Literal["other content", "only in the first run", "only in the second run", "not asked in both", "not confirmed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A case with what happened to it in both runs, a record for each repetition."""

    case: Case
    first: tuple[Record, ...]
    second: tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The comparable cases of two runs; `left_out` are the ids of the others, by why."""

    first: Run
    second: Run
    pairs: tuple[Pair, ...]
    left_out: Mapping[Why, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A metric of a case on both sides, a score for each repetition."""

    pair: Pair
    first: tuple[float, ...]
    second: tuple[float, ...]

    @property
    def means(self) -> tuple[float, float]:
        """The mean over the repetitions, on both sides."""
        return mean(self.first), mean(self.second)

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.means[1] - self.means[0]


def pair_up(first: Run, second: Run) -> Pairs:
    """The cases that both runs asked with the same content; weight, tags and conversation are those of the second.

    Raises InputError when there is none.
    """
    ours, theirs = _records(first), _records(second)
    before = {case.id: case for case in first.cases}
    sorted_out: dict[str, Why | None] = {
        case.id: _why_not(before.get(case.id), case, ours, theirs) for case in second.cases
    }
    gone: dict[str, Why | None] = {
        case.id: "only in the first run" for case in first.cases if case.id not in sorted_out
    }
    pairs = tuple(
        Pair(case=case, first=ours[case.id], second=theirs[case.id])
        for case in second.cases
        if sorted_out[case.id] is None
    )
    if not pairs:
        raise InputError(
            f"the runs {first.id} and {second.id} have no case in common",
            expected="cases with the same id and content, asked in both",
            remedy="compare runs of the same dataset",
        )
    return Pairs(first=first, second=second, pairs=pairs, left_out=_by_why({**sorted_out, **gone}))


def confirmed(pairs: Pairs) -> Pairs:
    """Those whose case a person confirmed. Raises InputError when there is none."""
    kept = tuple(pair for pair in pairs.pairs if pair.case.confirmed)
    if not kept:
        raise InputError(
            f"none of {number_of('case', len(pairs.pairs))} is confirmed",
            expected="cases that a person confirmed: only these count in a gate",
            remedy='look at them, and set "confirmed": true where they are right',
        )
    others = tuple(pair.case.id for pair in pairs.pairs if not pair.case.confirmed)
    return replace(pairs, pairs=kept, left_out={**pairs.left_out, **({"not confirmed": others} if others else {})})


def scored(pairs: Pairs, metric: str) -> list[Scored]:
    """The cases to which a metric applies on both sides."""
    found = (
        Scored(pair=pair, first=_scores(pair.first, metric), second=_scores(pair.second, metric))
        for pair in pairs.pairs
    )
    return [one for one in found if one.first and one.second]


def comparable(pairs: Pairs) -> tuple[list[Metric], list[str]]:
    """The metrics that both sides have, and what is to be said of those that can't be compared."""
    ours, theirs = _measured([pair.first for pair in pairs.pairs]), _measured([pair.second for pair in pairs.pairs])
    shared = [metric for metric in METRICS if metric.name in ours & theirs]
    unequal = [metric for metric in shared if metric.by_judge and _judge(pairs.first) != _judge(pairs.second)]
    unknown = ours & theirs - {metric.name for metric in METRICS}
    notes = [
        *(f"{name} is in the {'first' if name in ours else 'second'} run only: not compared" for name in ours ^ theirs),
        *(f"{name} is unknown to this version: not compared" for name in unknown),
        *(f"{metric.name} was given by different judges or prompts: not compared" for metric in unequal),
    ]
    return [metric for metric in shared if metric not in unequal], sorted(notes)


def _records(run: Run) -> dict[str, tuple[Record, ...]]:
    grouped: dict[str, list[Record]] = {}
    for record in run.records:
        grouped.setdefault(record.case_id, []).append(record)
    return {case_id: tuple(records) for case_id, records in grouped.items()}


def _why_not(before: Case | None, case: Case, ours: Mapping[str, object], theirs: Mapping[str, object]) -> Why | None:
    if before is None:
        return "only in the second run"
    if _content(before) != _content(case):
        return "other content"
    return None if case.id in ours and case.id in theirs else "not asked in both"


def _content(case: Case) -> tuple[object, ...]:
    """What is asked and what is expected; how much a case counts and where it comes from is no part of it."""
    return (
        *(case.question, case.history, case.facts, case.expected, case.sources, case.evidence, case.answerable),
        "any" in case.tags,
    )


def _by_why(reasons: Mapping[str, Why | None]) -> dict[Why, tuple[str, ...]]:
    found = sorted({why for why in reasons.values() if why})
    return {why: tuple(case_id for case_id, other in reasons.items() if other == why) for why in found}


def _scores(records: Sequence[Record], metric: str) -> tuple[float, ...]:
    values = (record.scores.get(metric) for record in records)
    return tuple(value for value in values if value is not None)


def _measured(sides: Sequence[Sequence[Record]]) -> set[str]:
    """The metrics that apply to any of the records."""
    records = (record for records in sides for record in records)
    return {name for record in records for name, value in record.scores.items() if value is not None}


def _judge(run: Run) -> object:
    asked = replace(run.judge, agreement=None, labelled="") if run.judge else None
    return run.models.get("judge"), asked
