"""What of the traces and ratings still has to be delivered, where to, and how that went: tables of the trace file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rag.observe.codec import utf8

Destination = Literal["langfuse", "otlp"]
Delivery = Literal["pending", "delivered", "failed", "local", "held"]
# The one that takes ratings too.
RATED: Destination = "langfuse"
# No server is left alone for longer than this, and a clock that was set back makes nobody wait longer.
LONGEST_WAIT_S = 3600.0
# Of the reasons why items were refused, those that most were refused for.
MOST_REASONS = 10

_CONFLICT = """
ON CONFLICT (trace_id, kind, destination)
DO UPDATE SET state = excluded.state, reason = excluded.reason, revision = revision + 1
"""
_ENQUEUE = f"""
INSERT INTO outbox (destination, kind, trace_id, state) VALUES (?, 'trace', ?, 'pending') {_CONFLICT}
"""  # noqa: S608 - nothing from outside
# A rating goes where its trace goes: nowhere when that stays here, and it is refused when that was.
_ENQUEUE_SCORE = f"""
INSERT INTO outbox (destination, kind, trace_id, state, reason)
SELECT destination, 'score', trace_id, iif(state = 'failed', 'failed', 'pending'), reason
FROM outbox WHERE trace_id = ? AND kind = 'trace' AND destination = '{RATED}' {_CONFLICT}
"""  # noqa: S608 - nothing from outside
_PENDING = """
SELECT id, revision, destination, kind, trace_id FROM outbox
WHERE state = 'pending' AND destination = ? ORDER BY id LIMIT ?
"""
_REFUSE_SCORE = """
UPDATE outbox SET state = 'failed', reason = ? WHERE trace_id = ? AND kind = 'score' AND destination = ?
"""
_FAIL = """
INSERT INTO breakers VALUES (:destination, 1, :reason, :now, :now + :wait_s)
ON CONFLICT (destination) DO UPDATE SET
    failures = failures + 1, reason = excluded.reason, failed_at = excluded.failed_at,
    next_try_at = excluded.next_try_at
"""
_REASONS = """
SELECT reason, count(*) FROM outbox WHERE destination = ? AND state = 'failed'
GROUP BY reason ORDER BY count(*) DESC, reason LIMIT ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingItem:
    """Something to deliver: a trace, or the rating ('score') of one. `revision` counts its changes."""

    id: int
    revision: int
    destination: Destination
    kind: Literal["trace", "score"]
    trace_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """How often in a row a destination failed, why and when it did last, and when it is tried again (Unix seconds).

    It is closed, and all is empty, while deliveries succeed or are refused one by one.
    """

    failures: int = 0
    reason: str = ""
    failed_at: float = 0.0
    next_try_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the destination is still left alone."""
        return 0 < self.next_try_at - time.time() <= LONGEST_WAIT_S


CLOSED = Breaker()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many items wait for a destination, were delivered there, were refused for good; how many for which reason."""

    destination: str
    waiting: int = 0
    delivered: int = 0
    refused: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    breaker: Breaker = CLOSED


def enqueue(db: sqlite3.Connection, trace_id: str, destinations: Sequence[Destination]) -> None:
    """Queue a trace; one that was queued before is delivered again."""
    for destination in destinations:
        db.execute(_ENQUEUE, (destination, trace_id))


def enqueue_score(db: sqlite3.Connection, trace_id: str) -> None:
    """Queue the rating of a trace, as it is when it is delivered."""
    db.execute(_ENQUEUE_SCORE, (trace_id,))


def pending(db: sqlite3.Connection, destination: Destination, *, limit: int) -> list[PendingItem]:
    """What is to be delivered there, oldest first, a trace before its rating."""
    found = db.execute(_PENDING, (destination, limit))
    return [PendingItem(id=row[0], revision=row[1], destination=row[2], kind=row[3], trace_id=row[4]) for row in found]


def waiting(db: sqlite3.Connection, destination: Destination) -> int:
    """How many items are to be delivered there."""
    found = db.execute("SELECT count(*) FROM outbox WHERE state = 'pending' AND destination = ?", (destination,))
    return int(found.fetchone()[0])


def delivered(db: sqlite3.Connection, item: PendingItem) -> None:
    """Mark an item as delivered, unless it changed meanwhile; its destination is well."""
    _mark(db, item, state="delivered", reason="")


def refused(db: sqlite3.Connection, item: PendingItem, reason: str) -> None:
    """Note why an item was refused for good, a trace with its rating; its destination is well."""
    _mark(db, item, state="failed", reason=reason)
    db.execute(_REFUSE_SCORE, (utf8(reason), item.trace_id, item.destination))


def failed(db: sqlite3.Connection, destination: Destination, reason: str, *, wait_s: float) -> None:
    """Note why nothing can be delivered there now, and leave it alone for so long."""
    values = {"destination": destination, "reason": utf8(reason), "now": time.time()}
    db.execute(_FAIL, {**values, "wait_s": min(wait_s, LONGEST_WAIT_S)})


def breaker(db: sqlite3.Connection, destination: str) -> Breaker:
    """How a destination is."""
    found = db.execute(
        "SELECT failures, reason, failed_at, next_try_at FROM breakers WHERE destination = ?", (destination,)
    ).fetchone()
    return Breaker(failures=found[0], reason=found[1], failed_at=found[2], next_try_at=found[3]) if found else CLOSED


def retry(db: sqlite3.Connection) -> int:
    """Queue again everything that was refused; returns how many items."""
    return db.execute("UPDATE outbox SET state = 'pending', reason = '' WHERE state = 'failed'").rowcount


def progress(db: sqlite3.Connection, destinations: Sequence[str]) -> list[Progress]:
    """How far these destinations came, and others that something was queued for; what goes nowhere is not counted."""
    counts: dict[str, dict[str, int]] = {name: {} for name in destinations}
    for name, state, count in db.execute("SELECT destination, state, count(*) FROM outbox GROUP BY 1, 2"):
        counts.setdefault(name, {})[state] = count
    return [_progress(db, name, found) for name, found in counts.items()]


def _progress(db: sqlite3.Connection, name: str, counts: Mapping[str, int]) -> Progress:
    return Progress(
        destination=name,
        waiting=counts.get("pending", 0),
        delivered=counts.get("delivered", 0),
        refused=counts.get("failed", 0),
        reasons=dict(db.execute(_REASONS, (name, MOST_REASONS))),
        breaker=breaker(db, name),
    )


def _mark(db: sqlite3.Connection, item: PendingItem, *, state: Delivery, reason: str) -> None:
    db.execute(
        "UPDATE outbox SET state = ?, reason = ? WHERE id = ? AND revision = ?",
        (state, utf8(reason), item.id, item.revision),
    )
    db.execute("DELETE FROM breakers WHERE destination = ?", (item.destination,))
