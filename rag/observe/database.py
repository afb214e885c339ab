"""The SQLite file behind the spool: its tables, one transaction at a time, and what its errors mean.

Every transaction opens the file and closes it again: nothing is shared between threads, nothing is lost when the
file is moved away meanwhile, and the price is one or two milliseconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rag.errors import StoreError
from rag.wal import run_script, translated

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
    db = sqlite3.connect(path or ":memory:", timeout=BUSY_S, isolation_level=None)
    try:
        _prepare(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path | None) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        run_script(db, SCHEMA, wait_s=BUSY_S)
    elif version != VERSION:
        raise StoreError(
            f"{path} has version {version}",
            expected=f"version {VERSION}",
            remedy="update Plumbline, or set data_dir to another folder",
        )
    db.execute("PRAGMA synchronous = NORMAL")
