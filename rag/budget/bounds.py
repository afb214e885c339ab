"""The table [budget] of plumbline.toml, and the bounds that are set in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from rag.budget.amount import Amount, billionths
from rag.sections import Section

Span = Literal["day", "user_day", "turn"]
# The widest first: who may not ask any more today is not told to ask anew.
SPANS: tuple[Span, ...] = ("day", "user_day", "turn")
MOST_TOKENS, MOST_MONEY = 10**15, 1e9


class Budget(Section):
    """What the calls of chat models may take: tokens, read and written, and money, in the currency of the prices.

    0 is no bound. A turn is a question with all its calls. A day is one of UTC. All who ask without a name are one
    user, ''. A bound on money needs the three prices of every model that a chat role names. What is used is kept in
    `<data_dir>/budget.db`.
    """

    turn_tokens: int = Field(0, ge=0, le=MOST_TOKENS, description="most tokens for a question; 0: no bound")
    turn_cost: float = Field(0.0, ge=0, le=MOST_MONEY, description="most money for a question; 0: no bound")
    user_day_tokens: int = Field(0, ge=0, le=MOST_TOKENS, description="most tokens of a user a day; 0: no bound")
    user_day_cost: float = Field(0.0, ge=0, le=MOST_MONEY, description="most money of a user a day; 0: no bound")
    day_tokens: int = Field(0, ge=0, le=MOST_TOKENS, description="most tokens of all users a day; 0: no bound")
    day_cost: float = Field(0.0, ge=0, le=MOST_MONEY, description="most money of all users a day; 0: no bound")
    keep_days: int = Field(90, ge=1, description="so many days stay in the file, for 'plumb budget --day'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A bound: the setting's name, whose calls it bounds, and how much, in tokens or billionths of money."""

    setting: str
    span: Span
    kind: Literal["tokens", "cost"]
    limit: int

    def of(self, amount: Amount) -> int:
        """The part of an amount that counts here; an unknown cost counts as none."""
        return amount.tokens if self.kind == "tokens" else amount.cost or 0


def bounds_of(budget: Budget) -> tuple[Bound, ...]:
    """The bounds that are set, the widest first."""
    every = [bound for span in SPANS for bound in (_tokens(budget, span), _cost(budget, span))]
    return tuple(bound for bound in every if bound.limit > 0)


def _tokens(budget: Budget, span: Span) -> Bound:
    limit: int = getattr(budget, f"{span}_tokens")
    return Bound(setting=f"{span}_tokens", span=span, kind="tokens", limit=limit)


def _cost(budget: Budget, span: Span) -> Bound:
    limit: float = getattr(budget, f"{span}_cost")
    # A bound too small for a billionth is one nevertheless.
    return Bound(setting=f"{span}_cost", span=span, kind="cost", limit=max(billionths(limit), int(limit > 0)))
