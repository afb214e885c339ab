"""SQLite files that several processes use at once."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rag.durable import PRIVATE
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a file holds: `script` makes it, and marks it with `version`; `upgrades` lift one of an earlier version.

    Every script is a transaction of its own; an upgrade marks the file with a later version.
    """

    script: str
    version: int
    upgrades: Mapping[int, str] = field(default_factory=dict)


def connect(path: Path | None, schema: Schema, *, wait_s: float, check_same_thread: bool = True) -> sqlite3.Connection:
    """A connection to a file of that schema, made or lifted to it where need be; without a path, to an empty one.

    Raises sqlite3.Error, and StoreError for a file of another version.
    """
    if path:
        _create(path)
    db = sqlite3.connect(path or ":memory:", timeout=wait_s, isolation_level=None, check_same_thread=check_same_thread)
    try:
        _prepare(db, path, schema, wait_s=wait_s)
    except BaseException:
        db.close()
        raise
    return db


def _create(path: Path) -> None:
    """Make the file for its owner's eyes: it may hold what people asked and read."""
    # Only a new one: to close a file that is open elsewhere in this process would end SQLite's locks on it.
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE))


def _prepare(db: sqlite3.Connection, path: Path | None, schema: Schema, *, wait_s: float) -> None:
    found = version_of(db)
    if found == 0:
        run_script(db, schema.script, wait_s=wait_s)
    while (found := version_of(db)) in schema.upgrades:
        _upgrade(db, found, schema.upgrades[found])
    if found != schema.version:
        raise StoreError(
            f"{path} has version {found}",
            expected=f"version {schema.version}",
            remedy="update Plumbline, or set data_dir to another folder",
        )
    db.execute("PRAGMA synchronous = NORMAL")


def version_of(db: sqlite3.Connection) -> int:
    """The version that the file is marked with; 0 for one that holds nothing yet."""
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def _upgrade(db: sqlite3.Connection, found: int, script: str) -> None:
    with db:
        db.execute("BEGIN IMMEDIATE")
        # Another process may have done it while this one waited.
        if version_of(db) == found:
            for statement in script.split(";"):
                db.execute(statement)


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


class Writer:
    """The connection that writes to a file, for all threads of a process in turn; it makes the file.

    It stays open: to open and close the file costs more than to write a trace, and whoever closes it as the last has to
    wait for the disk, tens of milliseconds.
    """

    def __init__(self, path: Path, schema: Schema, *, expected: str, wait_s: float) -> None:
        """Open nothing yet. `expected` is what errors say that the file should be."""
        self._path = path
        self._schema = schema
        self._expected = expected
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, ...] | None = None
        self._close = weakref.finalize(self, lambda: None)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is committed at the end and undone by an exception; makes the file and its folders."""
        with translated(self._path, expected=self._expected), self._lock:
            try:
                with self._opened() as db:
                    # Taking the write lock at once waits for other writers; upgrading a read later would fail instead.
                    db.execute("BEGIN IMMEDIATE")
                    yield db
            except sqlite3.Error:
                self._forget()
                raise

    def _opened(self) -> sqlite3.Connection:
        """The open connection; another one where the file was moved away or lifted, or this is a forked process."""
        if self._db is None or self._file != self._there() or version_of(self._db) != self._schema.version:
            self._forget()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._db = connect(self._path, self._schema, wait_s=self._wait_s, check_same_thread=False)
            self._file, self._close = self._there(), weakref.finalize(self, self._db.close)
        return self._db

    def _there(self) -> tuple[int, ...] | None:
        try:
            told = self._path.stat()
        except FileNotFoundError:
            return None
        return os.getpid(), told.st_dev, told.st_ino

    def _forget(self) -> None:
        self._close()
        self._db = None
