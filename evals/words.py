"""Figures of a comparison and of a gate in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from evals.metrics import Unit
from evals.pairs import Why
from evals.ruling import FAIL_AT, Ruling
from evals.sizes import Spread, fewest
from rag.terminal import number_of

# More are not named in a line.
MOST_LOST = 10


def points(value: float, unit: Unit = "share") -> str:
    """A difference: shares in points of a hundred, scores as they are."""
    return f"{100 * value + 0.0:+.1f}" if unit == "share" else f"{value + 0.0:+.3f}"


def amount(value: float, unit: Unit = "share") -> str:
    """A loss, a margin or a floor without a sign."""
    return f"{round(100 * value, 1):g} points" if unit == "share" else f"{value:.3g}"


def level_of(value: float, unit: Unit = "share") -> str:
    """A metric itself."""
    return f"{100 * abs(value):.1f} %" if unit == "share" else f"{value:.3f}"


def figure(value: float, unit: Unit = "share") -> str:
    """A metric itself for a narrow table: a share without its sign of percent."""
    return f"{100 * abs(value):.1f}" if unit == "share" else f"{value:.3f}"


def chance(p: float) -> str:
    """A p value."""
    return "<.001" if p < 0.001 else f"{p:.3f}"


def noise_told(label: str, by: Spread) -> str | None:
    """What more repetitions and more cases would gain for a metric; None where repetitions say nothing of it."""
    if not by.noise:
        return None
    again = 100 * (1 - math.sqrt(1 - by.noise / 2))
    return (
        f"{label}: {100 * by.noise:.0f} % of the variance is noise between repetitions; twice the repetitions would"
        f" narrow the interval by {again:.0f} %, twice the cases by 29 %"
    )


def verdict_of(one: Ruling) -> str:
    """The verdict on a metric; where it need not pass and does not fail, it is not gated."""
    return "not gated" if one.verdict == "inconclusive" and not one.is_required else one.verdict


def not_gated_told(rulings: Sequence[Ruling]) -> str | None:
    """What it means that some metrics are not gated; None where there is none."""
    some = [one for one in rulings if verdict_of(one) == "not gated"]
    if not some:
        return None
    takes = ", ".join(f"{fewest(margin)}" for margin in dict.fromkeys(one.margin for one in some))
    return (
        f"not gated: fewer than {takes} independent cases can't pass (those of one conversation are one); a loss beyond"
        " chance fails them all the same"
    )


def lost_told(lost: Sequence[str]) -> str:
    """Which cases got worse, by id; '' where none did."""
    rest = f" and {len(lost) - MOST_LOST:,} more" if len(lost) > MOST_LOST else ""
    return f"got worse: {', '.join(lost[:MOST_LOST])}{rest}" if lost else ""


def left_out_told(left_out: Mapping[Why, Sequence[str]]) -> str:
    """How many cases were left out, and why."""
    return left_out_counted({why: len(ids) for why, ids in left_out.items()})


def left_out_counted(left_out: Mapping[str, int]) -> str:
    """The same, of counts."""
    return f"; left out: {', '.join(f'{number:,} {why}' for why, number in left_out.items())}" if left_out else ""


def told(one: Ruling) -> str:
    """Why a metric got its verdict."""
    if not one.cases or one.gain is None or one.at_worst is None:
        return "no confirmed case has it in both runs"
    if one.verdict == "pass":
        return f"the loss is {amount(-one.at_worst, one.unit)} at most" if one.at_worst < 0 else "better"
    if one.verdict == "fail":
        return _lost(one, one.gain) if one.p_holm <= FAIL_AT else f"{_limit(one)} is missed: {_range(one)}"
    if one.at_worst <= -one.margin:
        return f"may have lost {amount(-one.at_worst, one.unit)}, its margin is {amount(one.margin, one.unit)}"
    return f"{_limit(one)} may be missed: {_range(one)}"


def needed(one: Ruling) -> str:
    """What would decide about a metric that is still open."""
    if not one.cases:
        return "add cases that it applies to"
    if one.more_cases is None:
        return "what was measured is so near to the limit that no affordable number of cases decides"
    more = f"about {number_of('more case', one.more_cases)} would decide, if the figures stay as they are"
    return f"{more}; so would {one.repetitions} repetitions of each" if one.repetitions else more


def too_few(rulings: Sequence[Ruling]) -> str:
    """Why no metric has cases enough, and how many there must be."""
    if not rulings:
        return "no metric of the gate has cases in both runs"
    best = max(rulings, key=lambda one: one.conversations)
    return (
        f"too few cases: it takes {fewest(best.margin)} independent ones to rule out a loss of"
        f" {amount(best.margin, best.unit)}, even if none changes; '{best.label}' has {best.conversations}"
    )


def _lost(one: Ruling, gain: float) -> str:
    changed = f"{one.worse} worse, {one.better} better"
    return f"lost {amount(-gain, one.unit)} ({changed}), more than chance (p {chance(one.p_holm)})"


def _limit(one: Ruling) -> str:
    return f"the {'most' if one.low_is_good else 'least'} it must be, {level_of(one.floor or 0.0, one.unit)},"


def _range(one: Ruling) -> str:
    low, high = (level_of(value or 0.0, one.unit) for value in (one.second_low, one.second_high))
    return f"it is between {low} and {high}"
