"""Two runs of imagined systems, many pairs at once: noise, hard and easy cases, conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.intervals import ALPHA, Sample, mean
from evals.ruling import FAIL_AT, chance_of_loss, is_harmless
from evals.significance import holm

# How far the difficulty of cases is apart: the sum of the two parameters of a beta distribution.
CONCENTRATION = 2.0
RESAMPLES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A dataset and two systems.

    The first gets the share `rate` of the `cases` right. They stand in conversations of `sizes`, in turn, each as
    difficult throughout; with `even` all are alike. A share `loss` of all cases, in whole conversations, the second
    gets always wrong and the first at times. Of the others it answers the share `same` in the very same words. Each
    side asks so many `repetitions`. The cases count `weights`, in turn. Several `metrics` are drawn independently of
    each other.
    """

    name: str
    cases: int
    rate: float
    loss: float = 0.0
    sizes: tuple[int, ...] = (1,)
    weights: tuple[float, ...] = (1.0,)
    repetitions: tuple[int, int] = (1, 1)
    even: bool = False
    same: float = 0.0
    graded: bool = False
    metrics: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """The shares of pairs of runs that a rule let pass, and failed."""

    passed: float
    failed: float


def draw(world: World, number: int, random: np.random.Generator) -> Sample:
    """So many pairs of runs: their differences summed by conversation, a row a pair."""
    place = np.repeat(np.arange(world.cases), np.resize(world.sizes, world.cases))[: world.cases]
    size, weights = np.bincount(place), np.resize(world.weights, world.cases)
    shape = (number, len(size))
    chances = _chances(world, shape, random)[:, place]
    is_lost = (random.random(shape) < world.loss / world.rate)[:, place]
    first, again = (_scores(world, chances, asked, random) for asked in world.repetitions)
    second = np.where(random.random(chances.shape) < world.same, first, again)
    gained = weights * (np.where(is_lost, 0.0, second) - first)
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    counted = np.bincount(place, weights)
    return Sample(sums=np.add.reduceat(gained, starts, axis=1), weights=np.broadcast_to(counted, shape))


def gated(samples: Sequence[Sample], margin: float) -> Outcomes:
    """What the gate does: every metric must be shown to be harmless, and one that lost is enough to fail."""
    passed = np.all([is_harmless(of, margin) for of in samples], axis=0)
    beyond = np.any([mean(of) <= -margin for of in samples], axis=0)
    failed = [_fails([_row(of, place) for of in samples], margin) for place in np.flatnonzero(beyond).tolist()]
    return Outcomes(passed=float(passed.mean()), failed=sum(failed) / len(passed))


def means_compared(samples: Sequence[Sample], margin: float) -> Outcomes:
    """The naive rule: it fails what measured a loss of the margin, and passes the rest."""
    passed = np.all([mean(of) > -margin for of in samples], axis=0)
    return Outcomes(passed=float(passed.mean()), failed=float(1 - passed.mean()))


def bootstrapped(samples: Sequence[Sample], margin: float) -> Outcomes:
    """The plain percentile bootstrap of the cases, without regard to conversations or the number of metrics."""
    bounds = [_percentiles(of) for of in samples]
    passed = np.all([low > -margin for low, _ in bounds], axis=0)
    failed = np.any([high < 0 for _, high in bounds], axis=0)
    return Outcomes(passed=float(passed.mean()), failed=float(failed.mean()))


def _chances(world: World, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """How likely the first system is right, for each conversation."""
    if world.even:
        return np.full(shape, world.rate)
    return random.beta(CONCENTRATION * world.rate, CONCENTRATION * (1 - world.rate), shape)


def _scores(world: World, chances: np.ndarray, repetitions: int, random: np.random.Generator) -> np.ndarray:
    """The mean over the repetitions: of yes and no, or of grades around the chance."""
    if world.graded:
        spread = CONCENTRATION * 5
        drawn = [random.beta(spread * chances + 0.01, spread * (1 - chances) + 0.01) for _ in range(repetitions)]
        return np.asarray(np.mean(drawn, axis=0))
    return np.asarray(random.binomial(repetitions, chances) / repetitions)


def _row(of: Sample, place: int) -> Sample:
    return replace(of, sums=of.sums[place], weights=of.weights[place])


def _fails(metrics: Sequence[Sample], margin: float) -> bool:
    return min(holm([chance_of_loss(of, margin) for of in metrics])) <= FAIL_AT


def _percentiles(of: Sample) -> tuple[np.ndarray, np.ndarray]:
    clusters = of.clusters
    counts = np.random.default_rng(0).multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES)
    means = (of.sums @ counts.T) / (of.weights @ counts.T)
    low, high = np.percentile(means, [100 * ALPHA, 100 * (1 - ALPHA)], axis=1)
    return low, high
