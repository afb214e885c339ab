"""Moves what the spool holds to the Langfuse server: once, in the background, or in a process of its own.

Nothing here is ever in the way of an answer: delivery has its own thread or process, its own time budget, and what
it can't deliver stays in the spool.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import DeliveryError, InputError, StoreError
from rag.observe.account import Account, account
from rag.observe.spool import PendingItem, Spool
from rag.settings import Settings
from rag.types import Trace

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from rag.observe.langfuse import Langfuse

REST_S = 3.0
LONGEST_REST_S = 300.0
PULL_EVERY_S = 300.0

log = logging.getLogger("plumbline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """What one run did: how many items were delivered, how many refused for good, how many still wait, and why."""

    delivered: int
    failed: int
    waiting: int
    reason: str


def ship(spool: Spool, settings: Settings, *, budget_s: float = 30) -> Shipped:
    """Deliver what is pending, oldest first, until it is done, the time is up or the server fails.

    Does nothing without both keys, nor while another process delivers from the same spool. Raises StoreError when
    the spool can't be used; a server's failure is told in the result and kept in the spool.
    """
    target = account(settings)
    if target is None:
        return _idle(spool, "no Langfuse keys are set: traces stay local")
    if not spool.pending(limit=1):
        return Shipped(delivered=0, failed=0, waiting=0, reason="")
    lock = _lock(spool)
    if lock is None:
        return _idle(spool, "another process is delivering")
    try:
        return _ship(spool, target, time.monotonic() + budget_s)
    finally:
        lock.release()


def start_background(spool: Spool, settings: Settings) -> None:
    """As long as this process lives, let go of what is not kept and, with both keys, deliver, from a daemon thread."""
    threading.Thread(target=_keep_shipping, args=(spool, settings), name="plumb-ship", daemon=True).start()


def ship_detached(settings: Settings) -> None:
    """Deliver from a process of its own that outlives this one; starts nothing without both keys."""
    if account(settings) is None:
        return
    # Without -P, Python would look for our packages in the user's folder first.
    command = [sys.executable, "-P", "-m", "rag.cli", "traces", "ship", "--quiet"]
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH")) if part)
    with suppress(OSError):  # a machine that can't start a process is no reason to fail the command that ran fine
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        # It is meant to outlive us: tell Python that nobody waits for it.
        process.returncode = 0


def _lock(spool: Spool) -> BaseFileLock | None:
    from filelock import FileLock, Timeout

    lock = FileLock(spool.path.with_name(f"{spool.path.name}.shipping"))
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


def _ship(spool: Spool, target: Account, until: float) -> Shipped:
    from rag.observe.langfuse import Langfuse

    delivered, failed, reason = 0, 0, ""
    try:
        with Langfuse(target) as langfuse:
            for item in _pending(spool, until):
                refusal = _deliver(spool, langfuse, item, until)
                delivered, failed = delivered + (not refusal), failed + bool(refusal)
                reason = refusal or reason
    except DeliveryError as error:
        reason = str(error)
    waiting = spool.waiting().pending
    reason = reason or ("the time was up" if waiting else "")
    return Shipped(delivered=delivered, failed=failed, waiting=waiting, reason=reason)


def _pending(spool: Spool, until: float) -> Iterator[PendingItem]:
    # One at a time: what happens to a trace decides on its rating, which may be the next.
    while time.monotonic() < until and (found := spool.pending(limit=1)):
        yield found[0]


def _deliver(spool: Spool, langfuse: Langfuse, item: PendingItem, until: float) -> str:
    """Deliver one item; returns why it was refused for good, or ''. Raises DeliveryError when all have to wait."""
    try:
        _send(spool, langfuse, item, timeout_s=max(until - time.monotonic(), 0.1))
    except DeliveryError as error:
        spool.failed(item, str(error), permanent=error.permanent)
        if not error.permanent:
            raise
        return str(error)
    spool.delivered(item)
    return ""


def _send(spool: Spool, langfuse: Langfuse, item: PendingItem, *, timeout_s: float) -> None:
    try:
        trace = spool.trace(item.trace_id)
        if item.kind == "trace":
            langfuse.send_trace(trace, timeout_s=timeout_s)
        else:
            _send_scores(spool, langfuse, trace, timeout_s=timeout_s)
    except InputError as error:
        raise DeliveryError(str(error), permanent=True) from error


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


def _idle(spool: Spool, reason: str) -> Shipped:
    return Shipped(delivered=0, failed=0, waiting=spool.waiting().pending, reason=reason)


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


def _keep_shipping(spool: Spool, settings: Settings) -> None:
    rest_s, pull_at = REST_S, 0.0
    while True:
        time.sleep(rest_s)
        _pruned(spool)
        if account(settings) is None:
            rest_s = LONGEST_REST_S
            continue
        is_done = _shipped_all(spool, settings)
        rest_s = REST_S if is_done else min(rest_s * 2, LONGEST_REST_S)
        if is_done and time.monotonic() > pull_at:
            pull_at = time.monotonic() + PULL_EVERY_S
            _pulled(spool, settings)


def _pruned(spool: Spool) -> None:
    try:
        if spool.path.exists():
            spool.prune_if_due()
    except Exception as error:  # noqa: BLE001 (whatever happens: try again later, disturb nobody)
        log.debug("nothing was let go of: %s", error)


def _pulled(spool: Spool, settings: Settings) -> None:
    try:
        pull(spool, settings)
    except Exception as error:  # noqa: BLE001 (whatever happens: try again later, disturb nobody)
        log.debug("annotations in Langfuse were not read: %s", error)


def _shipped_all(spool: Spool, settings: Settings) -> bool:
    try:
        shipped = ship(spool, settings)
    except Exception as error:  # noqa: BLE001 (whatever happens: try again later, disturb nobody)
        log.debug("delivery to Langfuse failed: %s", error)
        return False
    return not shipped.waiting
