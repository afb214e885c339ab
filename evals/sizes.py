"""How many more cases or repetitions would decide what is not decided yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evals.intervals import ALPHA, Sample, estimate, least, mean

# Nobody asks so many times the cases there are.
MOST_COPIES = 100.0
MOST_REPETITIONS = 100
# 80 % quantile of the normal distribution: planned so that four of five tries decide.
Z_POWER = 0.841621


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Where the variance of a case's difference comes from.

    `noise` is the share that repetitions of the same case differ by, 0 to 1; None where no case was asked twice.
    `repetitions` is how often a case was asked, on the side that was asked less often.
    """

    noise: float | None
    repetitions: int


def spread(differences: Sequence[float], own: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Spread:
    """Of the differences of the cases' means, and each case's scores on both sides.

    The variance of the means is that between cases plus that within them over the number of repetitions: the law of
    total variance. A side that was asked once is taken to be as noisy as the other.
    """
    repetitions = min((len(scores) for sides in own for scores in sides), default=1)
    within = [float(np.var(scores, ddof=1)) for sides in own for scores in sides if len(scores) > 1]
    total = float(np.var(differences, ddof=1)) if len(differences) > 1 else 0.0
    if not within or not total:
        return Spread(noise=None if not within else 0.0, repetitions=repetitions)
    per_record = math.fsum(within) / len(within)
    noise = per_record * float(np.mean([1 / len(first) + 1 / len(second) for first, second in own]))
    return Spread(noise=min(1.0, noise / total), repetitions=repetitions)


def fewest(margin: float) -> int:
    """The fewest cases by themselves that can show a loss smaller than `margin`, where none changes.

    Near to the rule of three: Hanley and Lippman-Hand, If Nothing Goes Wrong, Is Everything All Right? (1983).
    """
    found = _first(lambda number: _unchanged(math.ceil(number)) > -margin, 1, 10 / margin)
    return math.ceil(found or math.inf)


def copies_to_pass(of: Sample, margin: float, *, alpha: float = ALPHA) -> float | None:
    """So many times the cases show a loss smaller than `margin`, if the difference stays; None for too many."""
    lucky = Z_POWER * estimate(of, imagined=0.0).error

    def shows(copies: float) -> bool:
        return bool(least(of, alpha=alpha, copies=copies) - lucky / math.sqrt(copies) > -margin)

    return _first(shows, 1.0, MOST_COPIES)


def copies_to_fail(of: Sample, *, alpha: float = ALPHA) -> float | None:
    """So many times the cases show that there is a loss, if the difference stays; None for too many.

    By the normal approximation of the test, as in Connor, Sample Size for Testing Differences in Proportions for the
    Paired-sample Design (1987).
    """
    from scipy.stats import norm

    lost = -float(mean(of))
    if lost <= 0:
        return None
    copies = float(((norm.ppf(1 - alpha) + Z_POWER) * estimate(of, imagined=0.0).error / lost) ** 2)
    # Where all that changed is lost, as many as make the exact test small decide.
    changed = max(1, int((np.abs(of.sums) > 0).sum()))
    needed = max(copies, math.log2(1 / alpha) / changed)
    return needed if needed <= MOST_COPIES else None


def repetitions_for(copies: float, by: Spread) -> int | None:
    """The repetitions of each case that narrow as much as `copies` of the cases would; None where none do."""
    if by.noise is None:
        return None
    left = 1 / copies - (1 - by.noise)
    needed = math.ceil(by.repetitions * by.noise / left) if left > 0 else MOST_REPETITIONS + 1
    return needed if by.repetitions < needed <= MOST_REPETITIONS else None


def _unchanged(number: int) -> float:
    """The lower bound after so many cases without a change."""
    return float(least(Sample(sums=np.zeros(number), weights=np.ones(number))))


def _first(holds: Callable[[float], bool], low: float, high: float) -> float | None:
    """Where `holds` turns true on the way up, to one part in a thousand; None where it never does."""
    if not holds(high):
        return None
    while high - low > low / 1000:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
