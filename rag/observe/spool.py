"""Traces, their ratings and what of both still has to be delivered, in one file for all processes and threads.

A committed trace survives the end of the process; the last moments before a power cut may be lost.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rag.errors import InputError, StoreError
from rag.observe import ratings
from rag.observe.account import account
from rag.observe.codec import decode, encode
from rag.observe.content import Content, content
from rag.observe.database import Kept, reading, writing
from rag.settings import Settings
from rag.types import Feedback, Trace

__all__ = [
    "Delivery",
    "OutboxStatus",
    "PendingItem",
    "Spool",
    "TraceRow",
    "open_spool",
]

Delivery = Literal["pending", "delivered", "failed", "local"]
LINE_CHARS = 300
FULL = Content()

_PUT_TRACE = """
INSERT OR REPLACE INTO traces
    (id, name, started_at, duration_ms, status, question, answer, abstained, supported_share, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ENQUEUE = """
INSERT INTO outbox (kind, trace_id, state) VALUES (?, ?, ?)
ON CONFLICT (kind, trace_id) DO UPDATE SET state = excluded.state, reason = '', revision = revision + 1
"""
_LIST = """
SELECT t.id, t.name, t.started_at, t.duration_ms, t.status, t.question, t.answer, t.abstained, t.supported_share,
       (SELECT min(up) FROM feedback f WHERE f.trace_id = t.id) AS up,
       (SELECT comment FROM feedback f WHERE f.trace_id = t.id AND comment != '' ORDER BY created_at DESC LIMIT 1),
       o.state
FROM traces t
LEFT JOIN outbox o ON o.kind = 'trace' AND o.trace_id = t.id
WHERE (:name IS NULL OR t.name = :name) AND (:rated IS NULL OR (up IS NOT NULL) = :rated)
ORDER BY t.started_at DESC, t.rowid DESC
LIMIT :limit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """A trace in a list. `answer` is its first line.

    `rating` is None when nobody rated it, and False if one of several people rated it down; `comment` the last one.

    `delivery` is 'local' for a trace that was recorded while no Langfuse was configured: it is never sent.
    """

    id: str
    name: str
    started_at: float
    duration_ms: float
    status: str
    question: str
    answer: str
    abstained: bool
    supported_share: float | None
    rating: bool | None
    comment: str
    delivery: Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingItem:
    """Something to deliver: a trace, or the rating ('score') of one. `revision` counts its changes."""

    id: int
    revision: int
    kind: Literal["trace", "score"]
    trace_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStatus:
    """How many traces and ratings wait, were refused for good, were delivered; and what went wrong last."""

    pending: int = 0
    failed: int = 0
    delivered: int = 0
    last_error: str = ""


def open_spool(settings: Settings) -> Spool:
    """The spool in the data folder; what is recorded without a Langfuse account stays local for good."""
    return Spool(settings.data_path / "traces.db", deliver=account(settings) is not None, content=content(settings))


class Spool:
    """The traces in one file. It appears with the first write; every method raises StoreError for a bad disk."""

    def __init__(self, path: Path, *, deliver: bool = True, content: Content = FULL) -> None:
        """Use the file at `path`; with `deliver` false, new traces are never queued for delivery.

        `content` is what is kept of traces and feedback: nothing else touches the disk.
        """
        self.path = path
        self._content = content
        self._deliver = deliver
        self._kept = Kept(path)

    def add_trace(self, trace: Trace) -> None:
        """Keep a trace and queue it for delivery; one with the same id is replaced."""
        row = _row_of(self._content.of_trace(trace))
        with writing(self.path) as db:
            db.execute(_PUT_TRACE, row)
            db.execute(_ENQUEUE, ("trace", trace.id, "pending" if self._deliver else "local"))
            self._kept.refresh()

    def add_feedback(self, feedback: Feedback) -> None:
        """Keep what a person says of a trace, and queue it: it replaces what the same person said, all of it.

        Raises InputError when there is no such trace. What comes without a time gets the present one.
        """
        state = self._trace_state(feedback.trace_id)
        feedback = self._content.of_feedback(feedback)
        said = replace(
            feedback,
            comment=_clean(feedback.comment),
            correction=_clean(feedback.correction),
            created_at=feedback.created_at or time.time(),
        )
        with writing(self.path) as db:
            ratings.put(db, said)
            # It goes nowhere when its trace stays here or was refused.
            queued = state if state in ("local", "failed") else "pending"
            db.execute(_ENQUEUE, ("score", feedback.trace_id, queued))

    def trace(self, trace_id: str) -> Trace:
        """The trace with this id, or the only one whose id begins so.

        Raises InputError when there is none, more than one, or one that this version can't read.
        """
        wanted = trace_id.strip().lower()
        if not re.fullmatch(r"[0-9a-f]{1,32}", wanted):
            raise _unknown(trace_id)
        # 'g' comes after every hex digit: the range is all ids that begin so, and the index finds it.
        found = self._select("SELECT id, body FROM traces WHERE id >= ? AND id < ? LIMIT 2", wanted, f"{wanted}g")
        if not found:
            raise _unknown(trace_id)
        if len(found) > 1:
            raise InputError(f"more than one trace begins with '{wanted}'", remedy="give more digits of the id")
        return _decoded(*found[0])

    def traces(self, *, limit: int = 20, name: str | None = None, rated: bool | None = None) -> list[TraceRow]:
        """The newest traces first: all, those of one name, those with a rating or those without."""
        with reading(self.path) as db:
            found = db.execute(_LIST, {"limit": limit, "name": name, "rated": rated}).fetchall()
        return [_trace_row(row) for row in found]

    def feedback(self, trace_id: str) -> list[Feedback]:
        """What everyone says of the trace with this id; what was taken back is left out."""
        with reading(self.path) as db:
            return [said for said in ratings.of_trace(db, trace_id) if not said.is_empty]

    def is_rated_down(self, trace_id: str) -> bool:
        """Whether somebody rated the answer of this trace down, there or where it was given again."""
        with reading(self.path) as db:
            return ratings.is_rated_down(db, trace_id)

    def note_scores(self, trace_id: str, ids: Sequence[str]) -> list[str]:
        """Note the ids of a trace's scores before they are sent; returns those that the server has to forget."""
        with writing(self.path) as db:
            return ratings.note_sent(db, trace_id, ids)

    def forget_scores(self, trace_id: str, ids: Sequence[str]) -> None:
        """Note that the server no longer has these scores."""
        with writing(self.path) as db:
            ratings.forget_sent(db, trace_id, ids)

    def pending(self, *, limit: int) -> list[PendingItem]:
        """What is to be delivered, oldest first, a trace before its rating."""
        found = self._select(
            "SELECT id, revision, kind, trace_id FROM outbox WHERE state = 'pending' ORDER BY id LIMIT ?", limit
        )
        return [PendingItem(id=row[0], revision=row[1], kind=row[2], trace_id=row[3]) for row in found]

    def delivered(self, item: PendingItem) -> None:
        """Mark an item as delivered; if it changed meanwhile, it stays pending."""
        with writing(self.path) as db:
            _mark(db, item, state="delivered", reason="")

    def failed(self, item: PendingItem, reason: str, *, permanent: bool) -> None:
        """Note why an item wasn't delivered; one that failed for good leaves the queue, a trace with its rating."""
        with writing(self.path) as db:
            _mark(db, item, state="failed" if permanent else "pending", reason=reason)
            if permanent:
                db.execute("UPDATE outbox SET state = 'failed' WHERE kind = 'score' AND trace_id = ?", (item.trace_id,))

    def retry_failed(self) -> int:
        """Queue again everything that failed for good; returns how many items."""
        if not self.waiting().failed:
            return 0
        with writing(self.path) as db:
            return db.execute("UPDATE outbox SET state = 'pending' WHERE state = 'failed'").rowcount

    def waiting(self) -> OutboxStatus:
        """The state of the outbox; what is local is not counted."""
        counts = dict(self._select("SELECT state, count(*) FROM outbox GROUP BY state"))
        errors = self._select("SELECT reason FROM outbox WHERE reason != '' ORDER BY tried_at DESC LIMIT 1")
        return OutboxStatus(
            pending=counts.get("pending", 0),
            failed=counts.get("failed", 0),
            delivered=counts.get("delivered", 0),
            last_error=errors[0][0] if errors else "",
        )

    def _trace_state(self, trace_id: str) -> Delivery:
        found = self._select("SELECT state FROM outbox WHERE kind = 'trace' AND trace_id = ?", trace_id)
        if not found:
            raise _unknown(trace_id)
        state: Delivery = found[0][0]
        return state

    def _select(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        with reading(self.path) as db:
            return db.execute(query, values).fetchall()


def _mark(db: sqlite3.Connection, item: PendingItem, *, state: Delivery, reason: str) -> None:
    db.execute(
        "UPDATE outbox SET state = ?, reason = ?, tried_at = ? WHERE id = ? AND revision = ?",
        (state, _clean(reason), time.time(), item.id, item.revision),
    )


def _row_of(trace: Trace) -> tuple[Any, ...]:
    try:
        body = encode(trace)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"trace {trace.id} is not JSON: {error}", expected="facts that JSON can hold") from error
    return (
        trace.id,
        trace.name,
        trace.started_at,
        round((trace.ended_at - trace.started_at) * 1000, 1),
        trace.status,
        _text(trace.input),
        _first_line(_text(trace.output)),
        bool(trace.attributes.get("abstained")),
        _supported_share(trace.attributes),
        body,
    )


def _supported_share(attributes: Mapping[str, Any]) -> float | None:
    share = attributes.get("supported_share")
    return float(share) if isinstance(share, int | float) else None


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("text", "")
    if isinstance(value, list | tuple):
        value = ", ".join(str(item) for item in value)
    return _clean(value) if isinstance(value, str) else ""


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:LINE_CHARS]


def _clean(text: str) -> str:
    # Half a surrogate pair is legal in a str and in JSON, but not in UTF-8.
    return text.encode("utf-8", "replace").decode()


def _trace_row(row: tuple[Any, ...]) -> TraceRow:
    identity, name, started_at, duration_ms, status, question, answer, abstained, share, up, comment, state = row
    return TraceRow(
        id=identity,
        name=name,
        started_at=started_at,
        duration_ms=duration_ms,
        status=status,
        question=question,
        answer=answer,
        abstained=bool(abstained),
        supported_share=share,
        rating=None if up is None else bool(up),
        comment=comment or "",
        delivery=state,
    )


def _decoded(trace_id: str, body: str) -> Trace:
    try:
        return decode(body)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"trace {trace_id} can't be read back: {error}",
            expected="a trace written by this version",
            remedy="update Plumbline, or set data_dir to another folder",
        ) from error


def _unknown(trace_id: str) -> InputError:
    return InputError(f"no trace '{trace_id[:80]}'", expected="the id of a recorded trace", remedy="see 'plumb traces'")
