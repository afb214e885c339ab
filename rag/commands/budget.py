"""plumb budget: what was used of each bound, by all and by each user."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.terminal import console, in_line, print_json

if TYPE_CHECKING:
    from rag.budget.amount import Amount
    from rag.budget.bounds import Bound, Span
    from rag.budget.ledger import DayUsed

UNBOUNDED = "Nothing is bounded: set bounds in [budget] of plumbline.toml. What is used is counted from then on."


def budget(
    day: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="A day of UTC; default: today.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what chat models used on a day, and what is left of each bound."""
    from rag.budget.purse import open_ledger
    from rag.settings import load_settings

    ledger = open_ledger(load_settings())
    found = _view(ledger.used(_checked(day)), ledger.bounds)
    if as_json:
        print_json(found)
    elif not ledger.bounds and not found["users"]:
        console().print(UNBOUNDED, markup=False, soft_wrap=True)
    else:
        _draw(found)


def _checked(day: str) -> str:
    from rag.errors import ConfigError

    try:
        return date.fromisoformat(day).isoformat() if day else ""
    except ValueError:
        raise ConfigError(
            f"--day is '{day[:40]}'", expected="a day as YYYY-MM-DD", remedy="leave it out for today"
        ) from None


def _view(used: DayUsed, bounds: tuple[Bound, ...]) -> dict[str, Any]:
    from rag.budget.amount import Amount, total

    def row(amount: Amount, reserved: Amount, span: Span) -> dict[str, Any]:
        return {**_amounts(amount), "reserved": _amounts(reserved), "left": _left(amount, bounds, span)}

    users = [
        {"user": user, **row(amount, used.under_way.get(user, Amount()), "user_day")}
        for user, amount in used.users.items()
    ]
    return {
        "day": used.day,
        "all": row(used.used, total(used.under_way.values()), "day"),
        "users": users,
        "turn": _left(Amount(), bounds, "turn"),
    }


def _amounts(amount: Amount) -> dict[str, Any]:
    return {"tokens": amount.tokens, "cost": amount.money}


def _left(amount: Amount, bounds: tuple[Bound, ...], span: Span) -> dict[str, Any]:
    """What is left of each bound of a span, and what it allows."""
    from rag.budget.purse import left_of

    return {
        bound.setting: {"left": left_of(bound, amount), "of": left_of(bound, type(amount)())}
        for bound in bounds
        if bound.span == span
    }


def _draw(view: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    screen = console()
    screen.print(
        f"{view['day']}, a day of UTC; what is reserved for calls under way is counted as used", soft_wrap=True
    )
    table = Table("Who", "Tokens", "Reserved", "Left", "Cost", "Left", box=None, pad_edge=False)
    table.add_row("all", *_cells(view["all"], "day"))
    for user in view["users"]:
        name = repr(in_line(user["user"])) if user["user"] else "no name"
        table.add_row(Text(name), *_cells(user, "user_day"))
    if view["turn"]:
        bounds = {"tokens": 0, "cost": 0.0, "reserved": {"tokens": 0}, "left": view["turn"]}
        table.add_row("each question", *_cells(bounds, "turn"))
    screen.print(table)


def _cells(row: dict[str, Any], span: str) -> tuple[str, ...]:
    from rag.llm.price import cost_text

    tokens, money = row["left"].get(f"{span}_tokens"), row["left"].get(f"{span}_cost")
    return (
        f"{row['tokens']:,}",
        f"{row['reserved']['tokens']:,}",
        f"{tokens['left']:,} of {tokens['of']:,}" if tokens else "no bound",
        cost_text(row["cost"]),
        f"{cost_text(money['left'])} of {cost_text(money['of'])}" if money else "no bound",
    )
