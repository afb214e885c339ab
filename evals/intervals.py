"""How far a mean of paired differences may lie from what was measured: bounds that hold for few cases too.

Cases of one conversation are not independent, so they are summed first: Cameron and Miller, A Practitioner's Guide to
Cluster-Robust Inference (2015). A case by itself is a cluster of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
CHUNK = 500
# Of a one-sided bound, and of each side of a two-sided interval twice as strict.
ALPHA = 0.05
# So many imagined clusters that went as badly as can be are added before a bound is computed. Found by enumerating all
# outcomes of yes/no questions (python -m evals.bench gate): with fewer, a bound is missed in more than 5 % of runs.
IMAGINED = 1.4
# The same for the bootstrap, on each side.
IMAGINED_DRAWN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Values summed by cluster. `sums` and `weights` have the clusters as their last axis; `worst` and `best` bound a
    value: -1 and 1 for a difference of shares.
    """

    sums: np.ndarray
    weights: np.ndarray
    worst: float = -1.0
    best: float = 1.0

    @property
    def clusters(self) -> int:
        """How many there are."""
        return int(self.sums.shape[-1])

    @property
    def negative(self) -> Sample:
        """The sample of the negated values."""
        return Sample(sums=-self.sums, weights=self.weights, worst=-self.best, best=-self.worst)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its standard error and degrees of freedom; arrays where the sample has more than one axis."""

    mean: np.ndarray
    error: np.ndarray
    freedom: np.ndarray


def sample(values: Sequence[float], weights: Sequence[float], clusters: Sequence[str]) -> Sample:
    """Differences of scores summed by cluster; values beyond 1 widen what is held possible."""
    _, place = np.unique(np.array(clusters), return_inverse=True)
    given, counted = np.array(values, dtype=float), np.array(weights, dtype=float)
    most = max(1.0, float(np.abs(given).max()))
    return Sample(sums=np.bincount(place, given * counted), weights=np.bincount(place, counted), worst=-most, best=most)


def mean(of: Sample) -> np.ndarray:
    """The weighted mean, as measured."""
    return np.asarray(of.sums.sum(-1) / of.weights.sum(-1))


def usual_size(of: Sample) -> np.ndarray:
    """The weight of the cluster that a unit of weight stands in, in the mean: what an imagined cluster has.

    The plain mean is too little where a few cases count for many: losing one of them is then hardly imagined.
    """
    return np.asarray((of.weights**2).sum(-1) / of.weights.sum(-1))


def estimate(of: Sample, *, imagined: float = IMAGINED, copies: float = 1.0) -> Estimate:
    """The mean with `imagined` clusters of the worst value, and its standard error.

    The error is the jackknife's over clusters, CV3 of MacKinnon, Nielsen and Webb, Cluster-robust Inference (2023);
    the degrees of freedom are those of Kish's effective number of clusters, Survey Sampling (1965). What is added
    plays the part of the pseudo-observations of Agresti and Coull (1998): it shifts the mean towards the worst, keeps
    the error above zero where all values are the same, and is nothing where there are many. `copies` tells what so
    many times the clusters, of the same kind, would give.
    """
    size = usual_size(of)[..., None]
    total = copies * of.weights.sum(-1, keepdims=True) + imagined * size
    centre = (copies * of.sums.sum(-1, keepdims=True) + imagined * of.worst * size) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = copies * (((of.sums - centre * of.weights) / (total - of.weights)) ** 2).sum(-1)
        apart += imagined * (((of.worst - centre) * size / (total - size)) ** 2)[..., 0]
    number = copies * of.clusters + imagined
    effective = copies * of.weights.sum(-1) ** 2 / (of.weights**2).sum(-1)
    return Estimate(
        mean=centre[..., 0], error=np.sqrt(apart * (number - 1) / number), freedom=np.maximum(effective - 1, 0.0)
    )


def least(of: Sample, *, alpha: float = ALPHA, copies: float = 1.0) -> np.ndarray:
    """The one-sided lower bound of the mean: it lies below the truth in all but `alpha` of all samples."""
    from scipy.stats import t

    found = estimate(of, copies=copies)
    bound = found.mean - t.ppf(1 - alpha, np.maximum(found.freedom, 1e-9)) * found.error
    return np.asarray(np.where(found.freedom > 0, np.maximum(bound, of.worst), of.worst))


def most(of: Sample, *, alpha: float = ALPHA) -> np.ndarray:
    """The one-sided upper bound of the mean."""
    return -least(of.negative, alpha=alpha)


def chance_above(of: Sample, value: float) -> np.ndarray:
    """The p value of 'the mean is at least `value`': small where the sample says that it is less."""
    from scipy.stats import t

    found = estimate(of.negative)
    chance = t.sf((found.mean + value) / np.maximum(found.error, 1e-12), np.maximum(found.freedom, 1e-9))
    return np.asarray(np.where(found.freedom > 0, chance, 1.0))


def bootstrap(of: Sample, *, level: float = 0.95, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The two-sided percentile interval of the mean over resampled clusters, always with the same draws.

    Efron and Tibshirani, An Introduction to the Bootstrap (1993). Half an imagined cluster of the worst and half one
    of the best value are drawn from too: without them, differences that are all the same have an interval of no
    width, and with few changes it holds in far fewer than 95 % of samples.
    """
    size = float(usual_size(of))
    sums = np.append(of.sums, [of.worst * size, of.best * size])
    weights = np.append(of.weights, [size, size])
    chances = np.append(np.ones(of.clusters), [IMAGINED_DRAWN] * 2) / (of.clusters + 2 * IMAGINED_DRAWN)
    random, drawn = np.random.default_rng(0), list[np.ndarray]()
    for start in range(0, resamples, CHUNK):
        picked = random.choice(len(sums), p=chances, size=(min(CHUNK, resamples - start), of.clusters))
        drawn.append(sums[picked].sum(axis=1) / weights[picked].sum(axis=1))
    low, high = np.percentile(np.concatenate(drawn), [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)
