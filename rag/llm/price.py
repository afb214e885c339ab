"""What model calls cost, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterable

from rag.roles import CandidateSettings
from rag.types import Outcome, Usage

MILLION = 1_000_000


def cost(usage: Usage, prices: CandidateSettings) -> float | None:
    """The cost of a call; None when a price that it needs is unknown, or the server told no tokens."""
    parts = (
        (max(usage.prompt - usage.cached, 0), prices.price_in),
        (usage.cached, prices.price_cached),
        (usage.completion, prices.price_out),
    )
    known = [tokens * price / MILLION for tokens, price in parts if price is not None]
    is_known = usage.prompt > 0 and all(price is not None for tokens, price in parts if tokens > 0)
    return sum(known) if is_known else None


def given_up(outcome: Outcome, prices: CandidateSettings) -> float | None:
    """The cost of a call that did not answer: None where it may have taken tokens, as nobody told how many.

    A call that failed before its first token is taken as free, and so is every call where all prices are 0.
    """
    is_free = prices.price_in == prices.price_out == prices.price_cached == 0
    return None if outcome in ("broken", "slow") and not is_free else 0.0


def total(costs: Iterable[float | None]) -> float | None:
    """The sum; None when one of them is unknown."""
    listed = list(costs)
    known = [each for each in listed if each is not None]
    return sum(known) if len(known) == len(listed) else None


def cost_text(amount: float | None) -> str:
    """A cost for people, in the currency of the prices: '0.0123', '0', 'unknown'."""
    return "unknown" if amount is None else f"{amount:.3g}"
