"""Since when: the place in a row of observations where they stop being like the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """The last time that was like the reference, and the first that was not; of so many times looked at."""

    after: str
    by: str
    looked_at: int


def since(moments: Sequence[str], sizes: Sequence[float]) -> Since:
    """The change between two moments that leaves the least squares around two means; at least two, oldest first.

    `sizes` are how far each is from the first: Bai, Least Squares Estimation of a Shift (1994), for one change.
    """
    values = np.asarray(sizes, dtype=np.float64)

    def left(cut: int) -> float:
        return float(cut * values[:cut].var() + (len(values) - cut) * values[cut:].var())

    cut = min(range(1, len(values)), key=left)
    return Since(after=moments[cut - 1], by=moments[cut], looked_at=len(moments))
