"""Answers to one prompt at two times, against how they differ when the same model is asked twice at one time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np

from evals.drift.content import apart
from evals.drift.permute import NEAR, SEED, Chance, Floats, interval

Group = tuple[Sequence[Floats | str], Sequence[Floats | str]]
# Ways to deal the answers of a prompt to the two times that are looked at.
DEALS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How far answers lie apart within a time and between times, 0 to 1; `effect` is what between adds."""

    within: float
    between: float
    effect: float
    low: float
    high: float
    chance: Chance


def own_noise(groups: Sequence[Group], *, draws: int) -> Noise:
    """Test whether answers between times lie farther apart: those of each prompt are dealt to the times anew.

    The statistic is the energy distance within each prompt, summed. It finds a change that goes another way at every
    prompt, which tests of a common direction can't.
    """
    dealt = [_deals(group) for group in groups]
    seen = sum(float(deals[0]) for deals in dealt)
    rng = np.random.default_rng(SEED)
    drawn = sum((deals[rng.integers(0, len(deals), draws)] for deals in dealt), np.zeros(draws))
    p = (int((drawn >= seen - abs(seen) * (1 - NEAR) - 1e-12).sum()) + 1) / (draws + 1)
    least = math.prod(float((deals >= deals.max() - 1e-12).mean()) for deals in dealt)
    within = [value for group in groups for value in _within(group)]
    between = np.array([np.mean([apart(a, b) for a in one for b in other]) for one, other in groups])
    own = float(np.mean(within)) if within else 0.0
    low, high = interval(between - own)
    return Noise(
        within=own,
        between=float(between.mean()),
        effect=float(between.mean()) - own,
        low=low,
        high=high,
        chance=Chance(p=max(p, least), least=least),
    )


def _deals(group: Group) -> Floats:
    """The statistic of each way to deal the answers of a prompt; the first way is the true one."""
    answers = [*group[0], *group[1]]
    distances = np.array([[apart(one, other) for other in answers] for one in answers])
    everything, firsts = range(len(answers)), len(group[0])
    ways = islice(combinations(everything, firsts), DEALS)
    return np.array([_energy(distances, way, [n for n in everything if n not in way]) for way in ways])


def _energy(distances: Floats, one: Sequence[int], other: Sequence[int]) -> float:
    between = distances[np.ix_(one, other)].mean()
    return float(2 * between - distances[np.ix_(one, one)].mean() - distances[np.ix_(other, other)].mean())


def _within(group: Group) -> list[float]:
    return [apart(a, b) for side in group for a, b in combinations(side, 2)]
