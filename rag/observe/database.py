"""The SQLite file behind the spool: its tables, one transaction at a time, and what its errors mean.

Every transaction opens the file and closes it again: nothing is shared between threads, and nothing is lost when the
file is moved away meanwhile. Whoever closes it as the last has to wait for the disk, tens of milliseconds: so `Kept`
holds it open in between, and a transaction takes one.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rag.wal import Schema, connect, translated

VERSION = 3
BUSY_S = 5.0
_FEEDBACK = """
CREATE TABLE IF NOT EXISTS feedback (
    trace_id TEXT NOT NULL, user TEXT NOT NULL, up INTEGER, reasons TEXT NOT NULL, comment TEXT NOT NULL,
    correction TEXT NOT NULL, citations TEXT NOT NULL, created_at REAL NOT NULL, PRIMARY KEY (trace_id, user)
);
CREATE TABLE IF NOT EXISTS sent_scores (trace_id TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (trace_id, id));
CREATE TABLE IF NOT EXISTS signals (
    trace_id TEXT NOT NULL, signal TEXT NOT NULL, at REAL NOT NULL, citation INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS signals_by_trace ON signals (trace_id);
CREATE TABLE IF NOT EXISTS pruning (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS triage (trace_id TEXT PRIMARY KEY, state TEXT NOT NULL, decided_at REAL NOT NULL);
"""
# What a trace is found by, besides; traces of a file of the first version lack it: to read each would take long.
_FACTS = """
    cost REAL, models TEXT NOT NULL DEFAULT '', prompts TEXT NOT NULL DEFAULT '',
    given_before TEXT NOT NULL DEFAULT '', index_version TEXT NOT NULL DEFAULT '',
    user TEXT NOT NULL DEFAULT '', session TEXT NOT NULL DEFAULT ''
"""
_SCRIPT = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS traces (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, started_at REAL NOT NULL, duration_ms REAL NOT NULL,
    status TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, abstained INTEGER NOT NULL,
    supported_share REAL, body TEXT NOT NULL, {_FACTS}
);
CREATE INDEX IF NOT EXISTS traces_by_time ON traces (started_at);
{_FEEDBACK}
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, trace_id TEXT NOT NULL, state TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', tried_at REAL NOT NULL DEFAULT 0,
    UNIQUE (kind, trace_id)
);
CREATE INDEX IF NOT EXISTS outbox_by_state ON outbox (state, id);
CREATE INDEX IF NOT EXISTS outbox_by_trace ON outbox (trace_id);
PRAGMA user_version = {VERSION};
COMMIT;
"""
# Until then there was one thumb and one comment for each trace.
_ADDED = ";\n".join(f"ALTER TABLE traces ADD COLUMN {fact}" for fact in _FACTS.split(",")) + ";"
_FROM_1 = f"""
ALTER TABLE feedback RENAME TO feedback_1;
{_FEEDBACK}
INSERT INTO feedback SELECT trace_id, '', up, '[]', comment, '', '{{}}', created_at FROM feedback_1;
INSERT INTO sent_scores SELECT trace_id, 'user-feedback-' || trace_id FROM feedback_1;
DROP TABLE feedback_1;
CREATE INDEX IF NOT EXISTS outbox_by_trace ON outbox (trace_id);
{_ADDED}
PRAGMA user_version = 3
"""  # noqa: S608 - nothing from outside
_FROM_2 = "ALTER TABLE signals ADD COLUMN citation INTEGER NOT NULL DEFAULT 0; PRAGMA user_version = 3"
SCHEMA = Schema(script=_SCRIPT, version=VERSION, upgrades={1: _FROM_1, 2: _FROM_2})
EXPECTED = "a usable file of traces"


class Kept:
    """A connection that does nothing but stay open, to the file that is there now. For all threads."""

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path
        self._lock = threading.Lock()
        self._file: tuple[int, int] | None = None
        self._close = weakref.finalize(self, lambda: None)

    def refresh(self) -> None:
        """Open the file unless it is; another one stands in its place when it was moved away."""
        with self._lock:
            told = self._path.stat()
            if self._file != (file := (told.st_dev, told.st_ino)):
                self._close()
                db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
                self._file, self._close = file, weakref.finalize(self, db.close)
                db.execute("SELECT count(*) FROM sqlite_master").fetchall()


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to read from; a file that isn't there reads as an empty one and isn't made."""
    with translated(path, expected=EXPECTED), closing(_open(path if path.exists() else None)) as db:
        yield db


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction that is committed at the end and undone by an exception; makes the file and its folders."""
    with translated(path, expected=EXPECTED):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(_open(path)) as db, db:
            # Taking the write lock at once waits for other writers; upgrading a read later would fail instead.
            db.execute("BEGIN IMMEDIATE")
            yield db


def _open(path: Path | None) -> sqlite3.Connection:
    return connect(path, SCHEMA, wait_s=BUSY_S)
