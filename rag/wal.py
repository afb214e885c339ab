"""SQLite files that several processes use at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import StoreError

_PAUSE_S = 0.02
_WRITABLE = "make the folder writable, or set data_dir to one that is"
_REMEDIES = {
    sqlite3.SQLITE_FULL: "free some disk space",
    sqlite3.SQLITE_IOERR: "check the disk and its free space, or set data_dir to another one",
    sqlite3.SQLITE_READONLY: _WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _WRITABLE,
    sqlite3.SQLITE_BUSY: "try again: another process is writing",
}


def run_script(db: sqlite3.Connection, script: str, *, wait_s: float) -> None:
    """Run a script that makes the file a WAL one; may be repeated. Raises sqlite3.OperationalError after `wait_s`.

    SQLite itself does not wait for others that make the same file a WAL one at this moment.
    """
    end = time.monotonic() + wait_s
    while True:
        try:
            db.executescript(f"PRAGMA journal_mode = WAL; {script}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def connect(
    path: Path | None, schema: str, *, version: int, wait_s: float, check_same_thread: bool = True
) -> sqlite3.Connection:
    """A connection to a file that `schema` makes, and marks with its version; without a path, to an empty one.

    Raises sqlite3.Error, and StoreError for a file of another version.
    """
    db = sqlite3.connect(path or ":memory:", timeout=wait_s, isolation_level=None, check_same_thread=check_same_thread)
    try:
        _prepare(db, path, schema, version=version, wait_s=wait_s)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path | None, schema: str, *, version: int, wait_s: float) -> None:
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found == 0:
        run_script(db, schema, wait_s=wait_s)
    elif found != version:
        raise StoreError(
            f"{path} has version {found}",
            expected=f"version {version}",
            remedy="update Plumbline, or set data_dir to another folder",
        )
    db.execute("PRAGMA synchronous = NORMAL")


@contextmanager
def translated(path: Path, *, expected: str) -> Iterator[None]:
    """Turn the errors of SQLite and of the disk into StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the error, the rest says where in SQLite it happened.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        remedy = _REMEDIES.get(code, "move the file away; a new one is made")
        raise StoreError(f"{path}: {error}", expected=expected, remedy=remedy) from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}", expected=expected, remedy=_WRITABLE) from error
