"""How often the gate errs, on simulated runs: `python -m evals.bench gate` does more of the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evals.bench.gate import KINDS, MARGIN, SIZES, errors
from evals.bench.simulated import World, draw, gated

PAIRS = 400
# Of a share of 5 % in so many pairs: two standard errors.
MOST = 0.05 + 2 * (0.05 * 0.95 / PAIRS) ** 0.5
WORLDS = [replace(kind, cases=30, rate=rate) for kind in KINDS for rate in (0.5, 0.9, 0.98)]
LARGE = [replace(kind, cases=300, rate=0.9) for kind in KINDS]


@pytest.mark.parametrize("world", [*WORLDS, *LARGE], ids=lambda world: f"{world.name}, {world.cases}, {world.rate}")
def test_equal_systems_seldom_fail_and_a_loss_of_the_margin_seldom_passes(world: World) -> None:
    random = np.random.default_rng(11)
    same = [draw(world, PAIRS, random) for _ in range(world.metrics)]
    assert gated(same, MARGIN).failed <= MOST
    assert gated([draw(replace(world, loss=MARGIN), PAIRS, random)], MARGIN).passed <= MOST


def test_what_it_is_compared_with_errs_more() -> None:
    world = World(name="conversations", cases=30, rate=0.9, sizes=SIZES, metrics=5)
    found = errors(world, PAIRS, np.random.default_rng(12))
    assert found["means"][0].failed > 0.5
    assert found["means"][1].passed > 0.5
    assert found["bootstrap"][0].failed > 0.1
    assert found["bootstrap"][1].passed > 0.1


def test_a_gate_that_never_says_anything_would_not_do() -> None:
    """It passes what is the same, and fails what lost much, as soon as there are cases enough."""
    random = np.random.default_rng(13)
    steady = World(name="same words", cases=66, rate=0.9, same=1.0)
    assert gated([draw(steady, 20, random)], MARGIN).passed == 1.0
    assert gated([draw(replace(steady, cases=65), 20, random)], MARGIN).passed == 0.0
    noisy = World(name="hard and easy", cases=300, rate=0.9)
    assert gated([draw(noisy, PAIRS, random)], MARGIN).passed > 0.6
    assert gated([draw(replace(noisy, loss=3 * MARGIN), PAIRS, random)], MARGIN).failed > 0.95
