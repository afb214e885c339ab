"""So many of what comes, each with the same chance: the same seed takes the same."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """At most `limit` of what comes; all, without one."""

    limit: int | None = None
    seed: int = 0

    def of(self, items: Iterable[Item]) -> Iterator[Item]:
        """Those that are taken, in their order; only they are kept in memory.

        Algorithm R: Vitter, Random Sampling with a Reservoir (1985).
        """
        if self.limit is None:
            yield from items
            return
        chance = random.Random(self.seed)  # noqa: S311 - to be repeatable, not secret
        taken: list[tuple[int, Item]] = []
        for number, item in enumerate(items):
            place = number if number < self.limit else chance.randrange(number + 1)
            if number < self.limit:
                taken.append((number, item))
            elif place < self.limit:
                taken[place] = (number, item)
        yield from (item for _, item in sorted(taken, key=lambda one: one[0]))
