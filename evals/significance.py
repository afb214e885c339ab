"""Whether a paired difference is more than chance: exact and permutation tests, and their correction for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

# Up to so many clusters that changed, every assignment of signs is looked at; else so many are drawn.
EXACT_UP_TO = 12
DRAWS = 10_000
CHUNK = 1_000
# Sums that differ by less than this are the same, but for rounding.
SAME = 1e-9
Name = Literal["McNemar", "permutation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The p values of 'there is no difference': against any difference, and against a loss."""

    test: Name
    p: float
    p_worse: float


def against_chance(sums: np.ndarray) -> Tested:
    """Of differences, gains positive, one sum a cluster.

    Between two runs of the same system a difference is as likely as its opposite: Fisher, The Design of Experiments
    (1935). Where each cluster counts for as much, that is McNemar's test in its exact form: McNemar, Note on the
    Sampling Error of the Difference Between Correlated Proportions or Percentages (1947).
    """
    changed = sums[np.abs(sums) > SAME]
    if len(changed) and np.ptp(np.abs(changed)) < SAME:
        return _mcnemar(int((changed > 0).sum()), int((changed < 0).sum()))
    return _sign_flip(changed)


def holm(chances: Sequence[float | None]) -> list[float]:
    """p values corrected for their number, in the same order.

    Holm, A Simple Sequentially Rejective Multiple Test Procedure (1979): the chance of a false alarm in any of them
    stays below the level, however they depend on each other. None is the p value where nothing changed: it is 1
    whatever the signs, so it does not count; Tarone, A Modified Bonferroni Method for Discrete Data (1990).
    """
    counted = sorted((p, place) for place, p in enumerate(chances) if p is not None)
    corrected, most = [1.0] * len(chances), 0.0
    for rank, (p, place) in enumerate(counted):
        most = max(most, min(1.0, p * (len(counted) - rank)))
        corrected[place] = most
    return corrected


def _mcnemar(better: int, worse: int) -> Tested:
    from scipy.stats import binomtest

    changed = better + worse
    return Tested(
        test="McNemar",
        p=float(binomtest(better, changed).pvalue),
        p_worse=float(binomtest(better, changed, alternative="less").pvalue),
    )


def _sign_flip(changed: np.ndarray) -> Tested:
    """The observed assignment is one of those drawn, so that no p value is too small.

    Phipson and Smyth, Permutation P-values Should Never Be Zero (2010).
    """
    if not len(changed):
        return Tested(test="permutation", p=1.0, p_worse=1.0)
    is_exact, observed = len(changed) <= EXACT_UP_TO, changed.sum()
    totals = _every(changed) if is_exact else _drawn(changed)
    extra = 0 if is_exact else 1
    at_most = (totals <= observed + SAME).sum() + extra
    as_far = (np.abs(totals) >= abs(observed) - SAME).sum() + extra
    number = len(totals) + extra
    return Tested(test="permutation", p=float(as_far / number), p_worse=float(at_most / number))


def _every(changed: np.ndarray) -> np.ndarray:
    bits = np.arange(2 ** len(changed))[:, None] >> np.arange(len(changed)) & 1
    return np.asarray((1.0 - 2.0 * bits) @ changed)


def _drawn(changed: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(0)
    flips = (random.integers(0, 2, size=(CHUNK, len(changed)), dtype=np.int8) for _ in range(DRAWS // CHUNK))
    return np.concatenate([changed.sum() - 2 * (flipped.astype(float) @ changed) for flipped in flips])
