"""Traces, their ratings and what of both still has to be delivered, in one file for all processes and threads.

A committed trace survives the end of the process; the last moments before a power cut may be lost.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag.errors import InputError, StoreError
from rag.observe import breakers, outbox, ratings
from rag.observe.breakers import Breaker
from rag.observe.codec import decode, utf8
from rag.observe.content import content
from rag.observe.database import BUSY_S, EXPECTED, SCHEMA, reading
from rag.observe.destinations import destinations
from rag.observe.filter import Filter
from rag.observe.outbox import Destination, PendingItem, Progress
from rag.observe.retention import is_due, is_sampled, prune
from rag.observe.rows import COUNT, LIST, PUT, TraceRow, columns, listed
from rag.sections import Tracing
from rag.settings import Settings
from rag.types import Decision, Feedback, Signal, Trace
from rag.wal import Writer

__all__ = [
    "Spool",
    "TraceRow",
    "open_spool",
]

EVERYTHING = Filter()
DEFAULTS = Tracing()
PRUNE_EVERY_S, LOOK_EVERY_S = 3600.0, 60.0

_SIGNAL = """
INSERT INTO signals (trace_id, signal, at, citation) SELECT :trace, :signal, :at, :citation
WHERE NOT (:citation AND EXISTS (
    SELECT 1 FROM signals WHERE trace_id = :trace AND signal = :signal AND citation = :citation
))
"""

log = logging.getLogger("plumbline")


def open_spool(settings: Settings) -> Spool:
    """The spool in the data folder; a trace goes to the destinations that are set when it is recorded, and no other."""
    return Spool(settings.data_path / "traces.db", destinations=destinations(settings), rules=settings.trace)


class Spool:
    """The traces in one file. It appears with the first write; every method raises StoreError for a bad disk."""

    def __init__(self, path: Path, *, destinations: Sequence[Destination] = (), rules: Tracing = DEFAULTS) -> None:
        """Use the file at `path`; new traces are queued for these destinations.

        `rules` say what is kept of traces and feedback, and how long: nothing else touches the disk. Raises ConfigError
        for a pattern among them that is no regular expression.
        """
        self.path = path
        self._rules = rules
        self._content = content(rules)
        # When this process looks again whether any process has let go of some lately.
        self._look_at = 0.0
        self._destinations = tuple(destinations)
        self._writer = Writer(path, SCHEMA, expected=EXPECTED, wait_s=BUSY_S)

    def add_trace(self, trace: Trace) -> None:
        """Keep a trace and queue it for delivery; one with the same id is replaced."""
        row, sampled = columns(self._content.of_trace(trace)), is_sampled(trace, self._rules)
        with self._writer.transaction() as db:
            db.execute(PUT, row)
            db.execute("DELETE FROM held WHERE trace_id = ?", (trace.id,))
            if sampled:
                outbox.enqueue(db, trace.id, self._destinations)
            else:
                db.execute("INSERT INTO held VALUES (?)", (trace.id,))
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
        with self._writer.transaction() as db:
            db.execute(PUT, row)
            db.execute("DELETE FROM held WHERE trace_id = ?", (trace.id,))
            outbox.enqueue(db, trace.id, self._destinations)

    def prune_if_due(self) -> int:
        """Once an hour, let go of some of what the settings don't keep; returns how many traces."""
        with reading(self.path) as db:
            due = is_due(db, every_s=PRUNE_EVERY_S)
        return self.prune() if due else 0

    def prune(self) -> int:
        """Let go of some of what the settings don't keep; returns how many traces."""
        with self._writer.transaction() as db:
            return prune(db, self._rules)

    def add_feedback(self, feedback: Feedback) -> bool:
        """Keep what a person says of a trace, and queue it: it replaces what the same person said, all of it.

        Returns whether that is something else than before. Raises InputError when there is no such trace. What comes
        without a time gets the present one.
        """
        if not self.path.exists():
            raise _unknown(feedback.trace_id)
        now = time.time()
        said = self.as_kept(replace(feedback, created_at=feedback.created_at or now, changed_at=now))
        with self._writer.transaction() as db:
            if db.execute("SELECT 1 FROM traces WHERE id = ?", (said.trace_id,)).fetchone() is None:
                raise _unknown(feedback.trace_id)
            known = next((one for one in ratings.of_trace(db, said.trace_id) if one.user == said.user), None)
            if known and replace(said, created_at=known.created_at) == known:
                return False
            ratings.put(db, said)
            # What somebody rates is kept, and delivered first.
            if db.execute("DELETE FROM held WHERE trace_id = ?", (said.trace_id,)).rowcount:
                outbox.enqueue(db, said.trace_id, self._destinations)
            outbox.enqueue_score(db, said.trace_id)
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

    def count(self, wanted: Filter = EVERYTHING) -> int:
        """How many traces are wanted."""
        with reading(self.path) as db:
            return int(db.execute(COUNT, {**wanted.values, "limit": -1}).fetchone()[0])

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
        with self._writer.transaction() as db:
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
        with self._writer.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO triage VALUES (?, ?, ?)", [(one, decision, time.time()) for one in trace_ids]
            )

    def note_scores(self, trace_id: str, ids: Sequence[str]) -> list[str]:
        """Note the ids of a trace's scores before they are sent; returns those that the server has to forget."""
        with self._writer.transaction() as db:
            return ratings.note_sent(db, trace_id, ids)

    def forget_scores(self, trace_id: str, ids: Sequence[str]) -> None:
        """Note that the server no longer has these scores."""
        with self._writer.transaction() as db:
            ratings.forget_sent(db, trace_id, ids)

    def pending(self, destination: Destination, *, limit: int, only_due: bool = False) -> list[PendingItem]:
        """What is to be delivered there, oldest first, a trace before its rating; last what the server failed at.

        `only_due` leaves out what is to wait.
        """
        with reading(self.path) as db:
            return outbox.pending(db, destination, limit=limit, only_due=only_due)

    def waiting(self, destination: Destination) -> int:
        """How many items are to be delivered there."""
        with reading(self.path) as db:
            return outbox.waiting(db, destination)

    def behind(self, destination: Destination) -> int:
        """How many of these the server failed at while it took others."""
        with reading(self.path) as db:
            return outbox.behind(db, destination)

    def delivered(self, item: PendingItem) -> None:
        """Mark an item as delivered; if it changed meanwhile, it stays pending. What failed before is set behind."""
        with self._writer.transaction() as db:
            outbox.delivered(db, item)

    def tried(self, item: PendingItem, reason: str) -> None:
        """Note that the server failed at this item: after some such failures others come first."""
        with self._writer.transaction() as db:
            outbox.tried(db, item, reason)

    def refused(self, item: PendingItem, reason: str) -> None:
        """Note why an item was refused for good: it leaves the queue, a trace with its rating."""
        with self._writer.transaction() as db:
            outbox.refused(db, item, reason)

    def failed(
        self, destination: Destination, reason: str, *, wait_s: float, is_refusal: bool = False, mark: str = ""
    ) -> None:
        """Note why nothing can be delivered there now, and for how long every process leaves it alone.

        `is_refusal` tells that it turned us away, `mark` with which address and keys it was tried.
        """
        with self._writer.transaction() as db:
            before = breakers.read(db, destination, mark)
            breakers.write(db, destination, before.failed(reason, wait_s=wait_s, is_refusal=is_refusal, mark=mark))

    def breaker(self, destination: Destination, mark: str | None = None) -> Breaker:
        """How that destination is with the address and keys of this mark; without one, how it failed last."""
        with reading(self.path) as db:
            return breakers.read(db, destination, mark)

    def retry_refused(self) -> int:
        """Queue again everything that was refused for good; returns how many items."""
        if not any(one.refused for one in self.progress()):
            return 0
        with self._writer.transaction() as db:
            return outbox.retry(db)

    def progress(self) -> list[Progress]:
        """How far each destination came: those that are set, and those that something was queued for before."""
        with reading(self.path) as db:
            return outbox.progress(db, self._destinations)

    def _prune_quietly(self) -> None:
        try:
            self.prune_if_due()
        except StoreError as error:
            log.debug("nothing was let go of: %s", error)

    def _select(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        with reading(self.path) as db:
            return db.execute(query, values).fetchall()


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
