"""How far two raters agree beyond chance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of two raters on the same items: Cohen's kappa with its 95 % interval, and the share on which they say the same.

    Kappa is 1 where they always agree, 0 where they do as often as by chance. It is None where it has no meaning: both
    say the same of everything.
    """

    items: int
    share: float
    kappa: float | None
    low: float | None
    high: float | None


def agreement(first: Sequence[str], second: Sequence[str], *, groups: Sequence[Hashable]) -> Agreement:
    """Of labels of the same items; items of one group (answers to one question) are not independent of each other.

    Cohen, A Coefficient of Agreement for Nominal Scales (1960). The interval resamples whole groups: Davison and
    Hinkley, Bootstrap Methods and their Application (1997), 3.8.
    """
    labels = sorted({*first, *second})
    places = np.array([[labels.index(one) for one in side] for side in (first, second)])
    low, high = _interval(places, groups, labels=len(labels))
    return Agreement(
        items=len(first),
        share=float((places[0] == places[1]).mean()),
        kappa=_kappa(_table(places, len(labels))),
        low=low,
        high=high,
    )


def _table(places: np.ndarray, labels: int) -> np.ndarray:
    """How often the first rater said the one and the second the other: labels by labels."""
    table = np.zeros((labels, labels))
    np.add.at(table, (places[0], places[1]), 1)
    return table


def _kappa(table: np.ndarray) -> float | None:
    shares = table / table.sum()
    by_chance = float(shares.sum(axis=0) @ shares.sum(axis=1))
    return (float(np.trace(shares)) - by_chance) / (1 - by_chance) if by_chance < 1 else None


def _interval(places: np.ndarray, groups: Sequence[Hashable], *, labels: int) -> tuple[float | None, float | None]:
    """The 2.5 and 97.5 % points of kappa over resampled groups; None for fewer than two groups."""
    names = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    if len(names) < 2:
        return None, None
    tables = np.zeros((len(names), labels, labels))
    np.add.at(tables, (np.array([names[group] for group in groups]), places[0], places[1]), 1)
    draws = np.random.default_rng(0).integers(0, len(names), size=(RESAMPLES, len(names)))
    kappas = [kappa for draw in draws if (kappa := _kappa(tables[draw].sum(axis=0))) is not None]
    return (float(np.percentile(kappas, 2.5)), float(np.percentile(kappas, 97.5))) if kappas else (None, None)
