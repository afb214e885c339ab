"""Traces, their ratings and what of both still has to be delivered, in one file for all processes and threads.

A committed trace survives the end of the process; the last moments before a power cut may be lost.
"""

from __future__ import annotations

import logging
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
from rag.observe.codec import decode, utf8
from rag.observe.content import content
from rag.observe.database import Kept, reading, writing
from rag.observe.filter import Filter
from rag.observe.retention import is_due, is_sampled, prune
from rag.observe.rows import LIST, PUT, Delivery, TraceRow, columns, listed
from rag.sections import Tracing
from rag.settings import Settings
from rag.types import Decision, Feedback, Signal, Trace

__all__ = [
    "OutboxStatus",
    "PendingItem",
    "Spool",
    "TraceRow",
    "open_spool",
]

EVERYTHING = Filter()
DEFAULTS = Tracing()
PRUNE_EVERY_S, LOOK_EVERY_S = 3600.0, 60.0

_ENQUEUE = """
INSERT INTO outbox (kind, trace_id, state) VALUES (?, ?, ?)
ON CONFLICT (kind, trace_id) DO UPDATE SET state = excluded.state, reason = '', revision = revision + 1
"""

_SIGNAL = """
INSERT INTO signals (trace_id, signal, at, citation) SELECT :trace, :signal, :at, :citation
WHERE NOT (:citation AND EXISTS (
    SELECT 1 FROM signals WHERE trace_id = :trace AND signal = :signal AND citation = :citation
))
"""

log = logging.getLogger("plumbline")


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
    return Spool(settings.data_path / "traces.db", deliver=account(settings) is not None, rules=settings.trace)


class Spool:
    """The traces in one file. It appears with the first write; every method raises StoreError for a bad disk."""

    def __init__(self, path: Path, *, deliver: bool = True, rules: Tracing = DEFAULTS) -> None:
        """Use the file at `path`; with `deliver` false, new traces are never queued for delivery.

        `rules` say what is kept of traces and feedback, and how long: nothing else touches the disk. Raises ConfigError
        for a pattern among them that is no regular expression.
        """
        self.path = path
        self._rules = rules
        self._content = content(rules)
        # When this process looks again whether any process has let go of some lately.
        self._look_at = 0.0
        self._deliver = deliver
        self._kept = Kept(path)

    def add_trace(self, trace: Trace) -> None:
        """Keep a trace and queue it for delivery; one with the same id is replaced."""
        row = columns(self._content.of_trace(trace))
        kept: Delivery = "pending" if self._deliver else "local"
        with writing(self.path) as db:
            db.execute(PUT, row)
            db.execute(_ENQUEUE, ("trace", trace.id, kept if is_sampled(trace, self._rules) else "held"))
            self._kept.refresh()
        if time.monotonic() > self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY_S
            self._prune_quietly()

    def add_facts(self, trace_id: str, facts: Mapping[str, Any]) -> None:
        """Add attributes to the trace with this id and queue it for delivery, again if need be.

        What they hold is kept as a trace's own. Raises InputError when there is no such trace.
        """
        trace = self.trace(trace_id)
        # The trace itself was masked when it came, which may take long.
        kept = self._content.of_trace(replace(trace, input=None, output=None, attributes=facts, steps=()))
        row = columns(replace(trace, attributes={**trace.attributes, **kept.attributes}))
        with writing(self.path) as db:
            db.execute(PUT, row)
            db.execute(_ENQUEUE, ("trace", trace.id, "pending" if self._deliver else "local"))

    def prune_if_due(self) -> int:
        """Once an hour, let go of some of what the settings don't keep; returns how many traces."""
        with reading(self.path) as db:
            due = is_due(db, every_s=PRUNE_EVERY_S)
        return self.prune() if due else 0

    def prune(self) -> int:
        """Let go of some of what the settings don't keep; returns how many traces."""
        with writing(self.path) as db:
            return prune(db, self._rules)

    def add_feedback(self, feedback: Feedback) -> bool:
        """Keep what a person says of a trace, and queue it: it replaces what the same person said, all of it.

        Returns whether that is something else than before. Raises InputError when there is no such trace. What comes
        without a time gets the present one.
        """
        if not self.path.exists():
            raise _unknown(feedback.trace_id)
        said = self.as_kept(replace(feedback, created_at=feedback.created_at or time.time()))
        with writing(self.path) as db:
            state = _trace_state(db, feedback.trace_id)
            known = next((one for one in ratings.of_trace(db, said.trace_id) if one.user == said.user), None)
            if known and replace(said, created_at=known.created_at) == known:
                return False
            ratings.put(db, said)
            if state == "held":
                # What somebody rates is kept, and delivered first.
                state = "pending" if self._deliver else "local"
                db.execute(_ENQUEUE, ("trace", feedback.trace_id, state))
            # It goes nowhere when its trace stays here or was refused.
            queued = state if state in ("local", "failed") else "pending"
            db.execute(_ENQUEUE, ("score", feedback.trace_id, queued))
            return True

    def as_kept(self, feedback: Feedback) -> Feedback:
        """The feedback as this file would keep it."""
        said = self._content.of_feedback(feedback)
        return replace(
            said,
            comment=utf8(said.comment),
            correction=utf8(said.correction),
            reasons=tuple(dict.fromkeys(said.reasons)),
        )

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

    def traces(self, wanted: Filter = EVERYTHING, *, limit: int = 20) -> list[TraceRow]:
        """The newest of the wanted traces first."""
        with reading(self.path) as db:
            found = db.execute(LIST, {**wanted.values, "limit": limit}).fetchall()
        return [listed(row) for row in found]

    def feedback(self, trace_id: str) -> list[Feedback]:
        """What everyone says of the trace with this id; what was taken back is left out."""
        with reading(self.path) as db:
            return [said for said in ratings.of_trace(db, trace_id) if not said.is_empty]

    def is_rated_down(self, trace_id: str) -> bool:
        """Whether somebody rated the answer of this trace down, there or where it was given again."""
        with reading(self.path) as db:
            return ratings.is_rated_down(db, trace_id)

    def add_signal(self, trace_id: str, signal: Signal, *, citation: int = 0) -> None:
        """Note what somebody did with an answer, or with one of its citations, which is noted once.

        It never counts as a rating.
        """
        values = {"trace": trace_id, "signal": signal, "at": time.time(), "citation": citation}
        with writing(self.path) as db:
            db.execute(_SIGNAL, values)

    def signals(self, trace_id: str) -> list[Signal]:
        """What people did with the answer of this trace, in order."""
        found = self._select("SELECT signal FROM signals WHERE trace_id = ? ORDER BY at, rowid", trace_id)
        return [signal for (signal,) in found]

    def decided(self) -> dict[str, tuple[Decision, float]]:
        """What was decided on traces that somebody looked at, and when, by id."""
        found = self._select("SELECT trace_id, state, decided_at FROM triage")
        return {trace_id: (decision, at) for trace_id, decision, at in found}

    def decide(self, trace_ids: Sequence[str], decision: Decision) -> None:
        """Note what was decided on these traces; 'new' takes a decision back."""
        with writing(self.path) as db:
            db.executemany(
                "INSERT OR REPLACE INTO triage VALUES (?, ?, ?)", [(one, decision, time.time()) for one in trace_ids]
            )

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

    def _prune_quietly(self) -> None:
        try:
            self.prune_if_due()
        except StoreError as error:
            log.debug("nothing was let go of: %s", error)

    def _select(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        with reading(self.path) as db:
            return db.execute(query, values).fetchall()


def _trace_state(db: sqlite3.Connection, trace_id: str) -> Delivery:
    found = db.execute("SELECT state FROM outbox WHERE kind = 'trace' AND trace_id = ?", (trace_id,)).fetchone()
    if found is None:
        raise _unknown(trace_id)
    state: Delivery = found[0]
    return state


def _mark(db: sqlite3.Connection, item: PendingItem, *, state: Delivery, reason: str) -> None:
    db.execute(
        "UPDATE outbox SET state = ?, reason = ?, tried_at = ? WHERE id = ? AND revision = ?",
        (state, utf8(reason), time.time(), item.id, item.revision),
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
