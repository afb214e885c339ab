"""How often the gate errs: runs of the same system that fail, and losses of the margin that pass.

Peers are the naive rule, which compares the means, the plain percentile bootstrap and, for yes/no questions, Tango's
score test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from evals.bench import enumerated
from evals.bench.figures import Line, Measured, Note
from evals.bench.simulated import Outcomes, World, bootstrapped, draw, gated, means_compared

PAIRS = 2_000
MARGIN = 0.05
MOST = 0.05
SEED = 1
# A few long conversations among short ones.
SIZES = (1, 4, 8, 2, 3)
# A complaint that came ten times among such as came once.
WEIGHTS = (10.0, *(1.0,) * 9)
KINDS = (
    World(name="even", cases=0, rate=0, even=True),
    World(name="hard and easy", cases=0, rate=0),
    World(name="same words", cases=0, rate=0, same=1.0),
    World(name="3 repetitions", cases=0, rate=0, repetitions=(3, 3)),
    World(name="1, then 3", cases=0, rate=0, repetitions=(1, 3)),
    World(name="conversations", cases=0, rate=0, sizes=SIZES),
    World(name="weights", cases=0, rate=0, weights=WEIGHTS),
    World(name="weights, even", cases=0, rate=0, weights=WEIGHTS, even=True, same=1.0),
    World(name="graded", cases=0, rate=0, sizes=SIZES, graded=True),
    World(name="5 metrics", cases=0, rate=0, sizes=(1, 3), metrics=5),
)
RULES = {"gate": gated, "means": means_compared, "bootstrap": bootstrapped}


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Both errors in every kind of world; `limit` bounds the pairs of runs that are drawn of each."""
    pairs, failed, passed = limit or PAIRS, list[float](), list[float]()
    yield Note(
        text=f"{pairs} pairs of runs a line; margin {MARGIN}; of equal systems (fail, pass), of a loss (pass, fail)"
    )
    yield Note(text=f"{'':32}{''.join(f'{name:^34}' for name in RULES)}")
    for world in worlds():
        found = errors(world, pairs, np.random.default_rng(SEED))
        failed.append(found["gate"][0].failed)
        passed.append(found["gate"][1].passed)
        yield Note(text=_row(world, found))
    yield _bar("equal systems that fail, worst line", max(failed), pairs)
    yield _bar("losses of the margin that pass, worst line", max(passed), pairs)
    yield from _enumerated()


def worlds() -> list[World]:
    """Every kind with few and many cases, and rates in the middle and near to 1."""
    return [replace(kind, cases=cases, rate=rate) for cases, rate, kind in product((30, 300), (0.5, 0.9, 0.98), KINDS)]


def errors(world: World, pairs: int, random: np.random.Generator) -> dict[str, tuple[Outcomes, Outcomes]]:
    """What each rule says where both systems are the same, and where one metric of the second lost the margin.

    A gate passes only what passes in every metric: the others would make it err less.
    """
    same = [draw(world, pairs, random) for _ in range(world.metrics)]
    lost = [draw(replace(world, loss=MARGIN), pairs, random)]
    return {name: (rule(same, MARGIN), rule(lost, MARGIN)) for name, rule in RULES.items()}


def _row(world: World, found: dict[str, tuple[Outcomes, Outcomes]]) -> str:
    cells = (
        f"{same.failed:8.3f}{same.passed:7.3f} |{lost.passed:7.3f}{lost.failed:7.3f} " for same, lost in found.values()
    )
    return f"{world.name:16}n {world.cases:<4} {world.rate:<6}{''.join(f'{cell:34}' for cell in cells)}"


def _bar(name: str, value: float, pairs: int) -> Measured:
    error = (MOST * (1 - MOST) / pairs) ** 0.5
    return Measured(
        name=name, value=value, reference=MOST, against="bar", highest=True, note=f"standard error {error:.3f}"
    )


def _enumerated() -> Iterator[Line]:
    """Yes/no questions by themselves, exactly."""
    for name, rule in (("the gate", enumerated.ours), ("Tango", enumerated.tango), ("means", enumerated.means)):
        value, cases, margin = enumerated.worst(rule)
        yield Measured(
            name=f"losses of the margin that pass, all outcomes of yes/no questions, {name}",
            value=value,
            reference=MOST,
            against="bar",
            highest=True,
            is_bar=name == "the gate",
            note=f"worst at n = {cases}, margin {margin}",
        )
