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

from rag.wal import connect, translated

VERSION = 1
BUSY_S = 5.0
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS traces (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, started_at REAL NOT NULL, duration_ms REAL NOT NULL,
    status TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, abstained INTEGER NOT NULL,
    supported_share REAL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS traces_by_time ON traces (started_at);
CREATE TABLE IF NOT EXISTS feedback (
    trace_id TEXT PRIMARY KEY, up INTEGER NOT NULL, comment TEXT NOT NULL, created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, trace_id TEXT NOT NULL, state TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', tried_at REAL NOT NULL DEFAULT 0,
    UNIQUE (kind, trace_id)
);
CREATE INDEX IF NOT EXISTS outbox_by_state ON outbox (state, id);
PRAGMA user_version = {VERSION};
COMMIT;
"""
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
                db.execute("SELECT count(*) FROM traces LIMIT 0").fetchall()


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
    return connect(path, SCHEMA, version=VERSION, wait_s=BUSY_S)
