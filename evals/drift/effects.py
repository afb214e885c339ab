"""How much: effects between -1 and 1, each with a 95 % interval by the bootstrap over prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.drift.permute import RESAMPLES, SEED, Floats, interval

# Kinds that are named.
NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def gain(ours: Floats, theirs: Floats, *, paired: bool) -> Effect:
    """The difference of two shares."""
    low, high = interval(theirs - ours) if paired else interval(ours, theirs)
    return Effect(value=float(theirs.mean() - ours.mean()), low=low, high=high)


def dominance(ours: Floats, theirs: Floats, *, paired: bool) -> Effect:
    """Prompts that went up less those that went down, as a share: Cliff (1993)."""
    if paired:
        gained = np.sign(theirs - ours)
        low, high = interval(gained)
        return Effect(value=float(gained.mean()), low=low, high=high)
    return _between(np.sign(theirs[:, None] - ours[None]))


def direction(ours: Floats, theirs: Floats, *, paired: bool) -> Effect:
    """Prompts whose answers moved the way that those of the other prompts did, less those that did not, as a share.

    Of other prompts on both sides: how well the line between the two means tells a side, each answer left out of them.
    """
    if paired:
        moves = theirs - ours
        others = moves.sum(axis=0) - moves
        signs = np.sign(np.round((moves * others).sum(axis=1), 12))
        low, high = interval(signs)
        return Effect(value=float(signs.mean()), low=low, high=high)
    return _between(np.sign(_along(theirs, ours)[:, None] + _along(ours, theirs)[None]))


def moved_share(ours: Floats, theirs: Floats, *, paired: bool) -> Effect:
    """Half the sum of all changes of shares (total variation): so much of the answers became another kind."""
    value = _variation(ours.mean(axis=0)[None], theirs.mean(axis=0)[None])[0]
    first, second = _weights(len(ours), 0), _weights(len(theirs), 0 if paired else 1)
    drawn = _variation(first @ ours, second @ theirs)
    # Chance only adds to it, so the bootstrap is turned around: Efron and Tibshirani (1993), 13.4.
    high, low = 2 * value - np.percentile(drawn, [2.5, 97.5])
    return Effect(value=float(value), low=float(np.clip(low, 0, 1)), high=float(np.clip(high, 0, 1)))


def movers(names: Sequence[str], before: Floats, after: Floats) -> str:
    """The kinds whose share changed most: 'yes 48 % -> 3 %'."""
    order = np.argsort(-np.abs(after - before))[:NAMED]
    told = [f"{names[place][:60]} {before[place]:.0%} → {after[place]:.0%}" for place in order]
    return ", ".join(told)


def _between(table: Floats) -> Effect:
    """The mean of a table of all pairs, drawn by rows and columns."""
    rows, columns = _weights(table.shape[0], 0), _weights(table.shape[1], 1)
    low, high = np.percentile(((rows @ table) * columns).sum(axis=1), [2.5, 97.5])
    return Effect(value=float(table.mean()), low=float(low), high=float(high))


def _along(own: Floats, other: Floats) -> Floats:
    """How far each row lies from the middle of both means towards its own side, itself left out of its mean."""
    if len(own) < 2:
        return np.zeros(len(own))
    means = (own.sum(axis=0) - own) / (len(own) - 1)
    away = means - other.mean(axis=0)
    middles = (means + other.mean(axis=0)) / 2
    return np.asarray(((own - middles) * away).sum(axis=1))


def _weights(count: int, stream: int) -> Floats:
    rng = np.random.default_rng([SEED, stream])
    return rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count


def _variation(before: Floats, after: Floats) -> Floats:
    return np.asarray(np.abs(after - before).sum(axis=1) / 2)
