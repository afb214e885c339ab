"""The SQLite file behind the ledger: its tables, and one transaction at a time.

It stays open: that is a tenth of the time of opening it for each call. A committed transaction survives the end of the
process; the last moments before a power cut may be lost.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rag.wal import Schema, connect, translated

VERSION = 1
BUSY_S = 5.0
# `cost` and `least_cost` are NULL where a price is unknown, `unpriced` counts such calls. A row of `held` is a call
# under way: what it adds to the sums at present, and what stays of it when nobody tells its end until `expires_at`.
_SCRIPT = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS days (
    day TEXT PRIMARY KEY, tokens INTEGER NOT NULL, cost INTEGER NOT NULL, unpriced INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS users (
    day TEXT NOT NULL, user TEXT NOT NULL, tokens INTEGER NOT NULL, cost INTEGER NOT NULL, unpriced INTEGER NOT NULL,
    PRIMARY KEY (day, user)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (
    id TEXT PRIMARY KEY, day TEXT NOT NULL, user TEXT NOT NULL, tokens INTEGER NOT NULL, cost INTEGER,
    least_tokens INTEGER NOT NULL, least_cost INTEGER, expires_at REAL
) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""
SCHEMA = Schema(script=_SCRIPT, version=VERSION)


class BudgetFile:
    """One file for all processes and threads; it appears with the first write."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet."""
        self.path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._opened: tuple[int, ...] = ()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is committed at the end and undone by an exception. Raises StoreError for a bad disk."""
        with translated(self.path, expected="a usable file of what is used"), self._lock, self._connection() as db:
            # Taking the write lock at once waits for other writers; upgrading a read later would fail instead.
            db.execute("BEGIN IMMEDIATE")
            yield db

    def _connection(self) -> sqlite3.Connection:
        if self._db is None or self._opened != _identity(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _open(self.path)
            self._opened = _identity(self.path)
            # One that is let go of, as its file was moved away or this process was forked, is closed with this object.
            weakref.finalize(self, self._db.close)
        return self._db


def _identity(path: Path) -> tuple[int, ...]:
    """Which file that is, and which process this."""
    with suppress(OSError):
        found = path.stat()
        return os.getpid(), found.st_dev, found.st_ino
    return ()


def _open(path: Path) -> sqlite3.Connection:
    db = connect(path, SCHEMA, wait_s=BUSY_S, check_same_thread=False)
    # Moving the log into the file waits for the disk: 8 ms, once in some hundred calls.
    db.execute("PRAGMA wal_autocheckpoint = 4000")
    return db
