"""What calls take: tokens, and money in whole billionths, whose sums are exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BILLION = 1_000_000_000
# A price may be infinite, an integer of SQLite is not.
MOST = 2 * 10**18


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Tokens, read and written, and what they cost, in billionths of the currency; None where that is unknown."""

    tokens: int = 0
    cost: int | None = 0

    @property
    def money(self) -> float | None:
        """The cost in the currency of the prices."""
        return None if self.cost is None else self.cost / BILLION


def billionths(money: float) -> int:
    """Money as a whole number of billionths."""
    return round(min(money * BILLION, MOST))


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum; its cost is unknown when one of them is."""
    listed = list(amounts)
    known = [amount.cost for amount in listed if amount.cost is not None]
    return Amount(
        tokens=sum(amount.tokens for amount in listed), cost=sum(known) if len(known) == len(listed) else None
    )
