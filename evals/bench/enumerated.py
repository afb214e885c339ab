"""How often a rule errs on yes/no questions, exactly: over all outcomes of a run, without drawing any."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from evals.intervals import Sample
from evals.ruling import is_harmless

# Whether a loss is taken for harmless, of how many cases were lost and won, of how many in all.
Rule = Callable[[np.ndarray, np.ndarray, int, float], np.ndarray]
SIZES = (30, 59, 60, 75, 100, 150, 200, 300)
MARGINS = (0.02, 0.05, 0.1, 0.2)
# Beside the loss so many of the cases change in both directions.
CHURN = (0.0, 0.004, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
# 95 % quantile of the normal distribution.
Z_ONE_SIDED = 1.644854
# Outcomes that are rarer are left out: together they change no digit that is told.
RARE = 1e-9


def worst(rule: Rule, *, sizes: tuple[int, ...] = SIZES) -> tuple[float, int, float]:
    """The highest chance to pass with a loss of the margin, with the number of cases and the margin where it is so."""
    return max(
        (_chance(rule, cases, margin, churn), cases, margin) for cases in sizes for margin in MARGINS for churn in CHURN
    )


def ours(lost: np.ndarray, won: np.ndarray, cases: int, margin: float) -> np.ndarray:
    """The gate's."""
    place = np.arange(cases)
    sums = np.where(place < lost[:, None], -1.0, np.where(place < (lost + won)[:, None], 1.0, 0.0))
    return np.asarray(is_harmless(Sample(sums=sums, weights=np.ones_like(sums)), margin))


def tango(lost: np.ndarray, won: np.ndarray, cases: int, margin: float) -> np.ndarray:
    """The score test of Tango, Equivalence Test and Confidence Interval for the Difference in Proportions (1998)."""
    a, b = 2 * cases, -won - lost - (2 * cases - won + lost) * margin
    root = np.sqrt(np.maximum(b * b - 4 * a * lost * margin * (1 + margin), 0))
    losing = (root - b) / (2 * a)
    spread = np.sqrt(np.maximum(cases * (2 * losing - margin * (1 + margin)), 1e-12))
    return np.asarray((won - lost + cases * margin) / spread > Z_ONE_SIDED)


def means(lost: np.ndarray, won: np.ndarray, cases: int, margin: float) -> np.ndarray:
    """What measured less than the margin."""
    return np.asarray((won - lost) / cases > -margin)


def _chance(rule: Rule, cases: int, margin: float, churn: float) -> float:
    if margin + churn > 1:
        return 0.0
    lost, won, chances = (
        np.concatenate(parts) for parts in zip(*_outcomes(cases, margin + churn / 2, churn / 2), strict=True)
    )
    return float(chances @ rule(lost, won, cases, margin))


def _outcomes(cases: int, losing: float, winning: float) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Cases lost and won, and the chance of that, a number of lost ones at a time."""
    from scipy.stats import binom

    for lost in range(cases + 1):
        won = np.arange(cases - lost + 1)
        chances = binom.pmf(lost, cases, losing) * binom.pmf(won, cases - lost, winning / (1 - losing))
        kept = chances > RARE
        yield np.full(kept.sum(), lost), won[kept], chances[kept]
