"""One metric before the gate: what its cases show against its margin and its floor.

A loss is shown to be smaller than the margin where the lower bound of the difference lies above it; that bound holds in
95 of 100 samples. As every metric has to show that, the chance to pass with a loss of the margin in any of them is 5 %
too, however many there are: Berger, Multiparameter Hypothesis Testing and Acceptance Sampling (1982). A metric fails
where it is worse by more than chance, corrected for all of them, as one failure is enough, and by the margin or more as
measured. A floor is met, or missed, where a bound of the metric itself lies on that side. `python -m evals.bench gate`
shows how often this errs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from evals.gains import gains, level
from evals.intervals import Sample, chance_above, least, mean, most
from evals.metrics import Metric, Unit
from evals.pairs import Scored
from evals.significance import SAME, against_chance, holm
from evals.sizes import copies_to_fail, copies_to_pass, repetitions_for, spread

Verdict = Literal["pass", "fail", "inconclusive"]
# The test of a loss is exact for runs that were repeated as often. Where one was asked three times and the other once,
# it errs in up to 5.5 % of runs at a level of 5 %; so it is held to this one.
FAIL_AT = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A metric with its cases, the largest loss that is let through, and the least that it must be, if any is set.

    Where it is not required it can fail, but need not pass.
    """

    metric: Metric
    cases: Sequence[Scored]
    margin: float
    floor: float | None = None
    is_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What became of a metric, and the numbers it rests on.

    `gain` is second minus first, positive where the second is better; with 95 % confidence it is at least `at_worst`.
    `p_holm` is that of a loss of the margin or more being chance, corrected for all metrics. `second_low` and
    `second_high` are such bounds of the metric itself, where a floor is set. `more_cases` and `repetitions` are, each
    by itself, how many more cases, and how many repetitions of each in all, would decide; None where nothing would.
    """

    metric: str
    label: str
    unit: Unit
    low_is_good: bool
    is_required: bool
    verdict: Verdict
    cases: int
    conversations: int
    first: float | None
    second: float | None
    gain: float | None
    at_worst: float | None
    margin: float
    p_holm: float
    better: int
    worse: int
    floor: float | None
    second_low: float | None
    second_high: float | None
    more_cases: int | None
    repetitions: int | None
    noise: float | None


def rule(asked: Sequence[Asked]) -> list[Ruling]:
    """Rule on all metrics of a gate at once."""
    chances = [_chances(one) for one in asked]
    corrected = iter(holm([p for own in chances for p in own]))
    return [_ruling(one, [next(corrected) for _ in own]) for one, own in zip(asked, chances, strict=True)]


def is_harmless(of: Sample, margin: float) -> np.ndarray:
    """Whether the loss is shown to be smaller than `margin`."""
    return least(of) > -margin


def chance_of_loss(of: Sample, margin: float) -> float | None:
    """The p value of a loss; 1 where what was measured is no loss of the margin or more, None where nothing changed."""
    if not (np.abs(of.sums) > SAME).any():
        return None
    return against_chance(of.sums).p_worse if float(mean(of)) <= -margin + SAME else 1.0


def can_pass(one: Asked) -> bool:
    """Whether there are cases enough: if none of them changed, they would show that the loss is smaller."""
    if not one.cases:
        return False
    found = gains(one.metric, one.cases)
    return bool(is_harmless(replace(found, sums=np.zeros_like(found.sums)), one.margin))


def _chances(one: Asked) -> list[float | None]:
    """The p values of failing: of the loss, and of the floor being missed."""
    if not one.cases:
        return []
    loss = chance_of_loss(gains(one.metric, one.cases), one.margin)
    floor = _floor(one)
    return [loss] if floor is None else [loss, float(chance_above(level(one.metric, one.cases), floor))]


def _floor(one: Asked) -> float | None:
    """The floor on the side where high is good."""
    if one.floor is None:
        return None
    return -one.floor if one.metric.low_is_good else one.floor


def _ruling(one: Asked, chances: Sequence[float]) -> Ruling:
    if not one.cases:
        return _unasked(one)
    of, own = gains(one.metric, one.cases), level(one.metric, one.cases)
    verdict = _verdict(one, of, own, chances)
    by = spread([case.difference for case in one.cases], [(case.first, case.second) for case in one.cases])
    copies = _copies(one, of, own) if verdict == "inconclusive" else None
    sign = -1 if one.metric.low_is_good else 1
    values = [sign * case.difference for case in one.cases]
    bounds = sorted((sign * float(least(own)), sign * float(most(own))))
    return replace(
        _unasked(one),
        verdict=verdict,
        cases=len(one.cases),
        conversations=of.clusters,
        second=float(mean(own)) * sign,
        first=float(mean(own) - mean(of)) * sign,
        gain=float(mean(of)),
        at_worst=float(least(of)),
        p_holm=max(chances[:1]),
        better=sum(value > SAME for value in values),
        worse=sum(value < -SAME for value in values),
        second_low=bounds[0],
        second_high=bounds[1],
        more_cases=_more(one, copies),
        repetitions=repetitions_for(copies, by) if copies else None,
        noise=by.noise,
    )


def _unasked(one: Asked) -> Ruling:
    """Of a metric without cases."""
    return Ruling(
        metric=one.metric.name,
        label=one.metric.label,
        unit=one.metric.unit,
        low_is_good=one.metric.low_is_good,
        is_required=one.is_required,
        verdict="inconclusive",
        cases=0,
        conversations=0,
        first=None,
        second=None,
        gain=None,
        at_worst=None,
        margin=one.margin,
        p_holm=1.0,
        better=0,
        worse=0,
        floor=one.floor,
        second_low=None,
        second_high=None,
        more_cases=None,
        repetitions=None,
        noise=None,
    )


def _verdict(one: Asked, of: Sample, own: Sample, chances: Sequence[float]) -> Verdict:
    floor = _floor(one)
    if min(chances) <= FAIL_AT:
        return "fail"
    is_met = floor is None or bool(least(own) >= floor)
    return "pass" if is_met and bool(is_harmless(of, one.margin)) else "inconclusive"


def _copies(one: Asked, of: Sample, own: Sample) -> float | None:
    """So many times the cases would decide about the margin and the floor; None where one of both stays open."""
    floor, needed = _floor(one), list[float | None]()
    if not is_harmless(of, one.margin):
        needed.append(copies_to_pass(of, one.margin) if mean(of) > -one.margin else copies_to_fail(of, alpha=FAIL_AT))
    if floor is not None and least(own) < floor:
        above = bool(mean(own) >= floor)
        needed.append(copies_to_pass(own, -floor) if above else copies_to_pass(own.negative, floor))
    known = [copies for copies in needed if copies is not None]
    return max(known) if known and len(known) == len(needed) else None


def _more(one: Asked, copies: float | None) -> int | None:
    return None if copies is None else max(1, math.ceil((copies - 1) * len(one.cases)))
