"""How often chance alone makes a difference as large: tests that hold at any number of prompts, for any values.

Paired, the two answers of a prompt change sides; otherwise prompts change sides. Fisher, The Design of Experiments
(1935); Phipson and Smyth, Permutation P-values Should Never Be Zero (2010). All draws are seeded: the same answers give
the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DRAWS = 9_999
RESAMPLES = 2_000
SEED = 20_230_718
# Numbers held in memory at once.
HELD = 4_000_000
# A difference counts as large as another from this share of it on: sums in another order round otherwise.
NEAR = 1 - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """`p` is how often chance makes as much; `least` the smallest p that these answers could have led to."""

    p: float
    least: float


def swapped(differences: Floats, *, draws: int = DRAWS) -> Chance:
    """Of the mean of paired differences. Exact where all that differ do so by as much (McNemar 1947).

    Beyond what the draws can tell, the bound of Hoeffding (1963) on sums of random signs is taken, if that is less.
    """
    moved = differences[differences != 0]
    least = min(1.0, 2.0 ** (1 - len(moved)))
    if not len(moved):
        return Chance(p=1.0, least=1.0)
    sizes = np.abs(moved)
    if np.ptp(sizes) <= 1e-12 * sizes.max():
        return Chance(p=_sign_test(int((moved > 0).sum()), len(moved)), least=least)
    seen = abs(moved.sum())
    count = sum(int((np.abs(signs @ moved) >= seen * NEAR).sum()) for signs in _signs(len(moved), draws))
    p = (count + 1) / (draws + 1)
    bound = 2 * math.exp(-(seen**2) / (2 * (moved**2).sum()))
    return Chance(p=max(least, min(p, bound) if count == 0 else p), least=least)


def shuffled(first: Floats, second: Floats, *, draws: int = DRAWS) -> Chance:
    """Of the difference of two means of other prompts. Exact where there are two values (Fisher's test)."""
    both = np.concatenate([first, second])
    values, counts = np.unique(both, return_counts=True)
    if len(values) < 2:
        return Chance(p=1.0, least=1.0)
    least = _least(len(both) - int(counts.max()), len(first), len(second))
    if len(values) == 2:
        return Chance(p=_fisher(first == values[1], second == values[1]), least=least)
    seen = abs(second.mean() - first.mean())
    centred = both - both.mean()
    scale = len(both) / (len(first) * len(second))
    count = 0
    for sides in _sides(len(first), len(second), draws):
        count += int((np.abs(sides @ centred) * scale >= seen * NEAR).sum())
    return Chance(p=max((count + 1) / (draws + 1), least), least=least)


def swapped_kernel(kernel: Floats, *, draws: int = DRAWS) -> Chance:
    """Of the distance of two samples in a kernel's space, paired: row i and row n + i are answers to one prompt.

    With the negative distance as the kernel it is the energy distance: Székely and Rizzo (2004).
    """
    n = len(kernel) // 2
    bracket = kernel[:n, :n] + kernel[n:, n:] - kernel[:n, n:] - kernel[n:, :n]
    moved = np.abs(np.diag(bracket)) > 1e-12
    least = min(1.0, 2.0 ** (1 - int(moved.sum())))
    if not moved.any():
        return Chance(p=1.0, least=1.0)
    inner = bracket[np.ix_(moved, moved)]
    # A change of all sides leaves the diagonal as it is.
    np.fill_diagonal(inner, 0.0)
    seen, count = inner.sum(), 0
    for signs in _signs(len(inner), draws):
        count += int((((signs @ inner) * signs).sum(axis=1) >= seen - abs(seen) * (1 - NEAR)).sum())
    return Chance(p=max((count + 1) / (draws + 1), least), least=least)


def shuffled_kernel(kernel: Floats, firsts: int, *, draws: int = DRAWS) -> Chance:
    """Of the same distance where the prompts are others: the first rows are one sample, the rest the other."""
    total = len(kernel)
    seconds = total - firsts
    rows = np.unique(np.round(kernel, 9), axis=0, return_counts=True)[1]
    least = _least(total - int(rows.max()), firsts, seconds)
    if least >= 1:
        return Chance(p=1.0, least=1.0)

    def distance(sides: Floats) -> Floats:
        weights = sides / seconds - (1 - sides) / firsts
        within: Floats = ((weights @ kernel) * weights).sum(axis=1)
        return within

    seen = distance(np.concatenate([np.zeros(firsts), np.ones(seconds)])[None])[0]
    count = sum(int((distance(part) >= seen - abs(seen) * (1 - NEAR)).sum()) for part in _sides(firsts, seconds, draws))
    return Chance(p=max((count + 1) / (draws + 1), least), least=least)


def interval(values: Floats, *more: Floats) -> tuple[float, float]:
    """The 95 % interval of a mean, or of a second mean minus the first: the bootstrap of Efron (1979) over prompts."""
    rng = np.random.default_rng(SEED)
    means = [sample[rng.integers(0, len(sample), (RESAMPLES, len(sample)))].mean(axis=1) for sample in (values, *more)]
    drawn = means[1] - means[0] if more else means[0]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _signs(count: int, draws: int) -> Iterator[Floats]:
    rng, part = np.random.default_rng(SEED), max(HELD // count, 1)
    for start in range(0, draws, part):
        drawn = rng.integers(0, 2, (min(part, draws - start), count), dtype=np.int8)
        yield np.asarray(drawn * 2.0 - 1.0, dtype=np.float64)


def _sides(firsts: int, seconds: int, draws: int) -> Iterator[Floats]:
    """Rows of 0 and 1: which of all are on the second side."""
    row = np.concatenate([np.zeros(firsts), np.ones(seconds)])
    rng, part = np.random.default_rng(SEED), max(HELD // len(row), 1)
    for start in range(0, draws, part):
        yield rng.permuted(np.tile(row, (min(part, draws - start), 1)), axis=1)


def _sign_test(up: int, of: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(up, of).pvalue)


def _fisher(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    from scipy.stats import fisher_exact

    table = [[int(first.sum()), int((~first).sum())], [int(second.sum()), int((~second).sum())]]
    return float(fisher_exact(table).pvalue)


def _least(odd: int, firsts: int, seconds: int) -> float:
    """The p of all `odd` ones, those unlike the most, on one side."""
    larger = max(firsts, seconds)
    if not odd:
        return 1.0
    if odd > larger:
        return 0.0 if firsts + seconds > 20 else 1 / math.comb(firsts + seconds, firsts)
    return math.comb(larger, odd) / math.comb(firsts + seconds, odd)
