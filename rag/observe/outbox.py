"""What of the traces and ratings still has to be delivered, where to, and how that went: tables of the trace file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rag.observe import breakers
from rag.observe.breakers import CLOSED, LONGEST_WAIT_S, Breaker
from rag.observe.codec import utf8

Destination = Literal["langfuse", "otlp"]
Delivery = Literal["pending", "delivered", "failed", "local", "held"]
# The one that takes ratings too.
RATED: Destination = "langfuse"
# So often in a row a server may fail at an item before the next one is tried.
TRIES = 3
# An item at which a server fails that takes others waits so long, then twice as long each time; it is refused for good
# when it fails after it was set behind so often, which takes two hours or more.
PAUSE_S = 60.0
MOST_BEHIND = 7
# Whose turn it is: of those at which the server failed equally often, the oldest.
TURN = f"tries / {TRIES} + behind"
# Of the reasons why items were refused, those that most were refused for.
MOST_REASONS = 10

_CONFLICT = """
ON CONFLICT (trace_id, kind, destination)
DO UPDATE SET state = excluded.state, reason = excluded.reason, revision = revision + 1,
    tries = 0, behind = 0, next_try_at = 0
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
# A rating waits for its trace where that was set behind; else it comes after it anyway.
_PENDING = f"""
SELECT id, revision, destination, kind, trace_id, behind FROM outbox o
WHERE state = 'pending' AND destination = :destination
    AND NOT (:only_due AND next_try_at - :now BETWEEN 0 AND {LONGEST_WAIT_S})
    AND NOT (kind = 'score' AND EXISTS (
        SELECT 1 FROM outbox t WHERE t.trace_id = o.trace_id AND t.kind = 'trace' AND t.destination = o.destination
            AND t.state = 'pending' AND t.tries + t.behind > 0
    ))
ORDER BY {TURN}, id LIMIT :limit
"""  # noqa: S608 - nothing from outside
_TRIED = f"""
UPDATE outbox SET tries = tries + 1, reason = :reason,
    next_try_at = iif(behind, :now + min({PAUSE_S} * (1 << behind), {LONGEST_WAIT_S}), 0)
WHERE id = :id AND revision = :revision
"""  # noqa: S608 - nothing from outside
# Ratings and traces have addresses of their own: that one works says nothing of the other.
_SET_BEHIND = f"""
UPDATE outbox SET tries = 0, behind = behind + 1,
    next_try_at = max(next_try_at, :now + min({PAUSE_S} * (1 << behind), {LONGEST_WAIT_S}))
WHERE state = 'pending' AND destination = :destination AND kind = :kind
    AND tries > 0 AND (tries >= {TRIES} OR behind > 0) AND id != :id
"""  # noqa: S608 - nothing from outside
_REFUSE_SCORE = """
UPDATE outbox SET state = 'failed', reason = ? WHERE trace_id = ? AND kind = 'score' AND destination = ?
"""
_RETRY = """
UPDATE outbox SET state = 'pending', reason = '', tries = 0, behind = 0, next_try_at = 0 WHERE state = 'failed'
"""
_REASONS = """
SELECT reason, count(*) FROM outbox WHERE destination = ? AND state = ? AND (state = 'failed' OR behind > 0)
GROUP BY reason ORDER BY count(*) DESC, reason LIMIT ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingItem:
    """Something to deliver: a trace, or the rating ('score') of one. `revision` counts its changes.

    `behind` is how often the server failed at it and then took another one.
    """

    id: int
    revision: int
    destination: Destination
    kind: Literal["trace", "score"]
    trace_id: str
    behind: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many items wait for a destination, were delivered there, were refused for good; how many for which reason.

    `behind` are those of the waiting ones at which the server fails while it takes others, by reason.
    """

    destination: str
    waiting: int = 0
    delivered: int = 0
    refused: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    behind: Mapping[str, int] = field(default_factory=dict)
    breaker: Breaker = CLOSED


def enqueue(db: sqlite3.Connection, trace_id: str, destinations: Sequence[Destination]) -> None:
    """Queue a trace; one that was queued before is delivered again."""
    for destination in destinations:
        db.execute(_ENQUEUE, (destination, trace_id))


def enqueue_score(db: sqlite3.Connection, trace_id: str) -> None:
    """Queue the rating of a trace, as it is when it is delivered."""
    db.execute(_ENQUEUE_SCORE, (trace_id,))


def pending(db: sqlite3.Connection, destination: Destination, *, limit: int, only_due: bool) -> list[PendingItem]:
    """What is to be delivered there, oldest first, a trace before its rating; last what the server failed at."""
    values = {"destination": destination, "limit": limit, "only_due": only_due, "now": time.time()}
    return [
        PendingItem(id=row[0], revision=row[1], destination=row[2], kind=row[3], trace_id=row[4], behind=row[5])
        for row in db.execute(_PENDING, values)
    ]


def waiting(db: sqlite3.Connection, destination: Destination) -> int:
    """How many items are to be delivered there."""
    return _count(db, destination, "state = 'pending'")


def behind(db: sqlite3.Connection, destination: Destination) -> int:
    """How many of these the server failed at while it took others."""
    return _count(db, destination, "state = 'pending' AND behind > 0")


def delivered(db: sqlite3.Connection, item: PendingItem) -> None:
    """Mark an item as delivered, unless it changed meanwhile; its destination is well.

    So where the server failed at others before, it was due to these: they are set behind.
    """
    _mark(db, item, state="delivered", reason="")
    told = {"destination": item.destination, "kind": item.kind, "id": item.id}
    db.execute(_SET_BEHIND, {**told, "now": time.time()})


def tried(db: sqlite3.Connection, item: PendingItem, reason: str) -> None:
    """Note that the server failed at this item."""
    told = {"id": item.id, "revision": item.revision, "reason": utf8(reason)}
    db.execute(_TRIED, {**told, "now": time.time()})


def refused(db: sqlite3.Connection, item: PendingItem, reason: str) -> None:
    """Note why an item was refused for good, a trace with its rating; its destination is well."""
    _mark(db, item, state="failed", reason=reason)
    db.execute(_REFUSE_SCORE, (utf8(reason), item.trace_id, item.destination))


def retry(db: sqlite3.Connection) -> int:
    """Queue again everything that was refused; returns how many items."""
    return db.execute(_RETRY).rowcount


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
        reasons=dict(db.execute(_REASONS, (name, "failed", MOST_REASONS))),
        behind=dict(db.execute(_REASONS, (name, "pending", MOST_REASONS))),
        breaker=breakers.read(db, name),
    )


def _count(db: sqlite3.Connection, destination: Destination, which: str) -> int:
    query = f"SELECT count(*) FROM outbox WHERE {which} AND destination = ?"  # noqa: S608 - nothing from outside
    return int(db.execute(query, (destination,)).fetchone()[0])


def _mark(db: sqlite3.Connection, item: PendingItem, *, state: Delivery, reason: str) -> None:
    db.execute(
        "UPDATE outbox SET state = ?, reason = ? WHERE id = ? AND revision = ?",
        (state, utf8(reason), item.id, item.revision),
    )
    breakers.close(db, item.destination)
