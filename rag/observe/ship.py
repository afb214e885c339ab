"""Moves what the spool holds to its destinations: once, in the background, or in a process of its own.

Nothing here is ever in the way of an answer: delivery has its own threads or process, its own time budget, and what
it can't deliver stays in the spool. Each destination has a thread, a lock and a breaker of its own, so that one that is
down or slow holds up no other; the breaker is in the file, for all processes.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from rag import itself
from rag.errors import DeliveryError, InputError, StoreError
from rag.observe.account import account
from rag.observe.destinations import destinations, mark, open_destination
from rag.observe.outbox import MOST_BEHIND, RATED, Destination, PendingItem
from rag.observe.spool import Spool
from rag.settings import Settings
from rag.types import Trace

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from rag.observe.langfuse import Langfuse
    from rag.observe.otlp import Otlp

REST_S = 3.0
# After a failure a destination is left alone for REST_S, then twice as long, up to this.
LONGEST_REST_S = 300.0
PULL_EVERY_S = 300.0
BUDGET_S = 30.0

# `behind`: the server failed at it, and is thought to take others.
Outcome = Literal["delivered", "refused", "behind"]
T = TypeVar("T")

log = logging.getLogger("plumbline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """What one run did for a destination: how many items it took, refused for good, how many still wait, and why.

    `behind` are those of the waiting ones at which the server fails while it takes others.
    """

    destination: str
    delivered: int = 0
    refused: int = 0
    waiting: int = 0
    behind: int = 0
    reason: str = ""


def ship(spool: Spool, settings: Settings, *, budget_s: float = BUDGET_S, only_due: bool = False) -> list[Shipped]:
    """Deliver what is pending, oldest first, to all destinations at once; one entry each.

    Each ends when it is done, its time is up or its server fails. `only_due` leaves those alone that failed lately,
    and items at which they did.
    Raises StoreError when the spool can't be used; a server's failure is told in the result and kept in the spool.
    """
    names = destinations(settings)
    one = partial(_ship, spool, settings, budget_s=budget_s, only_due=only_due)
    started = [_start(partial(one, name)) for name in names]
    return [each.result() for each in started]


def start_background(spool: Spool, settings: Settings) -> None:
    """As long as this process lives, let go of what is not kept, and deliver, from daemon threads."""
    names = destinations(settings)
    _start(partial(_keep_pruning, spool))
    for name in names:
        _start(partial(_keep_shipping, name, spool, settings))


def ship_detached(settings: Settings) -> None:
    """Deliver from a process of its own that outlives this one; starts nothing without a destination."""
    if not destinations(settings):
        return
    with suppress(OSError):  # a machine that can't start a process is no reason to fail the command that ran fine
        process = subprocess.Popen(
            itself.command(["traces", "ship", "--due", "--quiet"]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            start_new_session=True,
            env=itself.environment(),
        )
        # It is meant to outlive us: tell Python that nobody waits for it.
        process.returncode = 0


def _ship(spool: Spool, settings: Settings, name: Destination, *, budget_s: float, only_due: bool) -> Shipped:
    if not spool.pending(name, limit=1, only_due=only_due):
        return _idle(spool, name, "")
    breaker = spool.breaker(name, mark(name, settings))
    if only_due and breaker.is_open:
        how = "it was given up" if breaker.is_given_up else "it is left alone for a while"
        return _idle(spool, name, f"{how}: {breaker.reason}")
    lock = _lock(spool, name)
    if lock is None:
        return _idle(spool, name, "another process is delivering")
    try:
        return _deliver_all(spool, settings, name, time.monotonic() + budget_s, only_due=only_due)
    finally:
        lock.release()


def _lock(spool: Spool, name: Destination) -> BaseFileLock | None:
    from filelock import FileLock, Timeout

    lock = FileLock(spool.path.with_name(f"{spool.path.name}.{name}"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    except OSError as error:
        raise StoreError(
            f"{lock.lock_file}: {error.strerror or error}",
            expected="a file to lock",
            remedy="make the folder writable, or set data_dir to one that is",
        ) from error
    return lock


def _deliver_all(spool: Spool, settings: Settings, name: Destination, until: float, *, only_due: bool) -> Shipped:
    counts, reason = Counter[Outcome](), ""
    try:
        with open_destination(name, settings) as server:
            for item in _pending(spool, name, until, only_due=only_due):
                outcome, why = _deliver(spool, server, item, until)
                counts[outcome] += 1
                reason = why or reason
    except DeliveryError as error:
        reason = str(error)
        _rest(spool, name, error, mark(name, settings))
    ended = _idle(spool, name, reason)
    reason = reason or ("the time was up" if ended.waiting > ended.behind else "")
    return replace(ended, delivered=counts["delivered"], refused=counts["refused"], reason=reason)


def _rest(spool: Spool, name: Destination, error: DeliveryError, marked: str) -> None:
    """Leave a destination alone: twice as long after each failure, or as long as it asks for."""
    # The exponent is bounded lest the power overflow.
    rest_s = min(REST_S * 2.0 ** min(spool.breaker(name, marked).failures, 20), LONGEST_REST_S)
    spool.failed(name, str(error), wait_s=max(rest_s, error.retry_after_s), is_refusal=error.of_us, mark=marked)


def _pending(spool: Spool, name: Destination, until: float, *, only_due: bool) -> Iterator[PendingItem]:
    failed = set[tuple[int, int]]()
    # One at a time: what happens to a trace decides on its rating, which may be the next.
    while time.monotonic() < until:
        found = spool.pending(name, limit=1 + len(failed), only_due=only_due)
        item = next((one for one in found if (one.id, one.revision) not in failed), None)
        if item is None:
            return
        # Once in a run is enough for an item at which the server failed before.
        if item.behind:
            failed.add((item.id, item.revision))
        yield item


def _deliver(spool: Spool, server: Langfuse | Otlp, item: PendingItem, until: float) -> tuple[Outcome, str]:
    """Deliver one item; returns what became of it and why. Raises DeliveryError when all have to wait."""
    try:
        _send(spool, server, item, timeout_s=max(until - time.monotonic(), 0.1))
    except DeliveryError as error:
        # A server that was cut off as our own time was up did not fail at it.
        error.of_item = error.of_item and time.monotonic() < until
        return _failed(spool, item, error)
    spool.delivered(item)
    return "delivered", ""


def _failed(spool: Spool, item: PendingItem, error: DeliveryError) -> tuple[Outcome, str]:
    """Refuse an item for good, or let it wait; raises the error where that is no sign of the item's own."""
    if error.permanent or (error.of_item and item.behind >= MOST_BEHIND):
        spool.refused(item, str(error))
        return "refused", str(error)
    if error.of_item:
        spool.tried(item, str(error))
    if error.of_item and item.behind:
        return "behind", str(error)
    raise error


def _send(spool: Spool, server: Langfuse | Otlp, item: PendingItem, *, timeout_s: float) -> None:
    from rag.observe.otlp import Otlp

    try:
        trace = spool.trace(item.trace_id)
    except InputError as error:
        raise DeliveryError(str(error), permanent=True) from error
    if item.kind == "trace" or isinstance(server, Otlp):
        server.send_trace(trace, timeout_s=timeout_s)
    else:
        _send_scores(spool, server, trace, timeout_s=timeout_s)


def _send_scores(spool: Spool, langfuse: Langfuse, trace: Trace, *, timeout_s: float) -> None:
    """Send what everyone says of a trace now, and have the server forget what was taken back."""
    from rag.observe.scores import scores

    requests = scores(spool.feedback(trace.id), has_texts=langfuse.may_read(trace))
    # Noted first: what was sent and not noted could never be taken back.
    stale = spool.note_scores(trace.id, [str(request.id) for request in requests])
    for score_id in stale:
        langfuse.forget_score(score_id, timeout_s=timeout_s)
    if stale:
        spool.forget_scores(trace.id, stale)
    if requests:
        langfuse.send_scores(requests, timeout_s=timeout_s)


def _idle(spool: Spool, name: Destination, reason: str) -> Shipped:
    return Shipped(destination=name, waiting=spool.waiting(name), behind=spool.behind(name), reason=reason)


def pull(spool: Spool, settings: Settings) -> int:
    """Read back what people annotated in Langfuse; returns how many answers it changed, 0 without both keys.

    Raises DeliveryError and StoreError.
    """
    target = account(settings)
    if target is None:
        return 0
    from rag.observe.langfuse import Langfuse
    from rag.observe.readback import read_back

    with Langfuse(target) as langfuse:
        return read_back(spool, langfuse)


def _start(call: Callable[[], T]) -> Future[T]:
    """Run it in a daemon thread, which holds up no exit, not that of a command that is stopped either."""
    future: Future[T] = Future()
    threading.Thread(target=_settle, args=(future, call), name="plumb-ship", daemon=True).start()
    return future


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - whoever waits for the result raises it
        future.set_exception(error)


def _keep_pruning(spool: Spool) -> None:
    while True:
        _quietly(partial(_prune, spool), "nothing was let go of")
        time.sleep(LONGEST_REST_S)


def _prune(spool: Spool) -> None:
    if spool.path.exists():
        spool.prune_if_due()


def _keep_shipping(name: Destination, spool: Spool, settings: Settings) -> None:
    pull_at = 0.0
    one = partial(_ship, spool, settings, name, budget_s=BUDGET_S, only_due=True)
    while True:
        time.sleep(REST_S)
        shipped = _quietly(one, f"delivery to {name} failed")
        is_well = shipped is not None and shipped.waiting == shipped.behind
        if name == RATED and is_well and time.monotonic() > pull_at:
            pull_at = time.monotonic() + PULL_EVERY_S
            _quietly(partial(pull, spool, settings), "annotations in Langfuse were not read")


def _quietly(call: Callable[[], T], trouble: str) -> T | None:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 (whatever happens: try again later, disturb nobody)
        log.debug("%s: %s", trouble, error)
        return None
