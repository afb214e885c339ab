"""Many signals, many looks: what a single p has to be, so that all together raise a false alarm in 5 % at most."""

from __future__ import annotations

import math
from collections.abc import Mapping

from evals.drift.permute import Chance

ALPHA = 0.05


def level_of(look: int, *, alpha: float = ALPHA) -> float:
    """What the look of this number, from 1, may spend: 6 / (pi² look²) of alpha; all looks for ever spend alpha."""
    return alpha * 6 / (math.pi * look) ** 2


def bounds(chances: Mapping[str, Chance], *, level: float) -> dict[str, float]:
    """The p that each signal had to reach: Holm (1979) over the signals that could have come to something.

    A signal that could not, even if all its differences had pointed the same way, is not counted (Tarone 1990): it
    has the bound 0. A signal fires if its p is at most its bound.
    """
    able = _able(chances, level)
    found = dict.fromkeys(chances, 0.0)
    stopped = 0.0
    for place, name in enumerate(sorted(able, key=lambda name: chances[name].p)):
        # After the first that stays above its bound, no later one is rejected: all keep that bound.
        found[name] = stopped or level / (len(able) - place)
        if chances[name].p > found[name]:
            stopped = found[name]
    return found


def _able(chances: Mapping[str, Chance], level: float) -> list[str]:
    for count in range(1, len(chances) + 1):
        able = [name for name, chance in chances.items() if chance.least <= level / count]
        if len(able) <= count:
            return able
    return list(chances)


def wanted_prompts(signals: int, *, level: float) -> int:
    """Prompts from which on a change of all of them would be found by any of so many signals, in pairs."""
    return math.ceil(1 + math.log2(max(signals, 1) / level))
