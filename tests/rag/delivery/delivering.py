"""What tests of delivery do: record, rate, deliver, and look at what arrived."""

from __future__ import annotations

import time
from collections.abc import Callable

from langfuse_server import FakeLangfuse
from observed import STARTED_AT, ask_trace

from rag.observe.ship import BUDGET_S, Shipped, ship
from rag.observe.spool import Spool
from rag.settings import Settings
from rag.types import Feedback


def id_of(number: int) -> str:
    """The id of the trace with that number."""
    return f"{number:032x}"


def add(spool: Spool, *numbers: int) -> None:
    """Record traces with these numbers."""
    for number in numbers:
        spool.add_trace(ask_trace(id_of(number), started_at=STARTED_AT + number))


def rate(spool: Spool, number: int, *, up: bool = True) -> None:
    """Rate the trace with that number."""
    spool.add_feedback(Feedback(trace_id=id_of(number), up=up, comment="so"))


def shipped(spool: Spool, settings: Settings, *, only_due: bool = False, budget_s: float = BUDGET_S) -> Shipped:
    """Deliver to the one destination that is set."""
    (found,) = ship(spool, settings, only_due=only_due, budget_s=budget_s)
    return found


def numbers(server: FakeLangfuse) -> list[int]:
    """The numbers of the traces that arrived, in order, with repetitions."""
    return [int(trace_id, 16) for trace_id in server.traces()]


def eventually(true: Callable[[], bool], *, within_s: float = 15) -> bool:
    """Wait until it is true, not for ever."""
    until = time.monotonic() + within_s
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()
