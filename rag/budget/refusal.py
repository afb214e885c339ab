"""What a call may take, and the words for a budget that can't pay it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rag.budget.amount import BILLION, Amount
from rag.budget.bounds import Bound
from rag.errors import BudgetExceeded, ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A call that is to be paid: which model for which user, what it may take at worst, and for how long that is held.

    `least` is what stays counted after `hold_s` seconds where nobody told how the call ended.
    """

    model: str
    user: str
    worst: Amount
    least: Amount
    hold_s: float


def day_of(now: float) -> str:
    """The day of a Unix time as YYYY-MM-DD, in UTC."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def refusal(bound: Bound, wanted: Wanted, *, used: int, now: float) -> BudgetExceeded:
    """The error of a call that a bound leaves no room for."""
    asked, before = bound.of(wanted.worst), _told(bound, used).partition(" ")[0]
    error = BudgetExceeded(
        f"{wanted.model} is not asked: the call may take {_told(bound, asked)}, and {before} of"
        f" {_whole(bound, wanted.user)} are used or reserved",
        expected=f"room in budget.{bound.setting} for its prompt and its longest answer",
        remedy=_remedy(bound, now) if asked <= bound.limit else _too_large(bound),
    )
    error.bound = bound.setting
    return error


def unpriced(model: str, missing: str, *, because: str) -> ConfigError:
    """The error of a model whose price is unknown, where money is bounded."""
    return ConfigError(
        f"{model} has no {missing}, and budget.{because} bounds money",
        expected="the three prices of every model in a chat role, in the currency of the bound",
        remedy=f'set price_in, price_out and price_cached in [candidates."{model}"], price_cached like price_in where'
        " there is no cache",
    )


def _whole(bound: Bound, user: str) -> str:
    allowed = _told(bound, bound.limit)
    match bound.span:
        case "turn":
            return f"this question's {allowed}"
        case "user_day":
            return f"today's {allowed} for {f'user {user!r}' if user else 'whoever asks without a name'}"
        case "day":
            return f"today's {allowed} for all users"


def _told(bound: Bound, number: int) -> str:
    return f"{number:,} tokens" if bound.kind == "tokens" else f"{number / BILLION:.6g}"


def _remedy(bound: Bound, now: float) -> str:
    raised = f"raise budget.{bound.setting} in plumbline.toml"
    if bound.span == "turn":
        return f"{raised}; the next question begins with nothing used"
    free = datetime.fromtimestamp(now, UTC).date() + timedelta(days=1)
    return f"wait until {free} 00:00 UTC, when nothing is used any more, or {raised}"


def _too_large(bound: Bound) -> str:
    return (
        f"raise budget.{bound.setting} in plumbline.toml, or lower generate.max_tokens or context.budget_tokens: the"
        " call is larger than the whole budget"
    )
