"""What is in the index, document by document: the memory that makes a second ingest cost nothing.

A document goes through it in three steps, so that a crash at any moment can be told and mended: `begin` before its
first chunk is written, `finish` when searches find it, `abandon` when it is given up.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rag.errors import StoreError
from rag.types import Revision
from rag.wal import run_script

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    uri TEXT NOT NULL,
    finished INTEGER NOT NULL,
    source TEXT NOT NULL,
    title TEXT NOT NULL,
    hash TEXT NOT NULL,
    revision TEXT NOT NULL,
    chunks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (uri, finished)
);
CREATE TABLE IF NOT EXISTS failures (
    uri TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    hash TEXT NOT NULL,
    reason TEXT NOT NULL,
    retryable INTEGER NOT NULL,
    at REAL NOT NULL
);
"""
_BUSY_S = 10.0
_COLUMNS = "uri, source, title, hash, revision, chunks, bytes, at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A document in the index: where it came from, the hash of its content and labels, the name of what was made.

    `at` is when it was written, in seconds since 1970.
    """

    uri: str
    source: str
    title: str
    hash: str
    revision: str
    chunks: int
    bytes: int
    at: float = 0.0

    @property
    def content(self) -> str:
        """The hash of the content alone; in `hash` a digest of the labels follows it, where there are any."""
        return self.hash.partition(" ")[0]

    @property
    def made(self) -> Revision:
        """The revision of the document that this record tells of."""
        return Revision(uri=self.uri, digest=self.revision, chunks=self.chunks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A document that could not be read or embedded, and why; `retryable` tells that trying again may help.

    `hash` is that of its content and of the settings it was read with.
    """

    uri: str
    source: str
    hash: str
    reason: str
    retryable: bool
    at: float = 0.0


class Manifest:
    """One SQLite file beside the index. Every method raises StoreError when the disk refuses."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is made at the first write."""
        self._path = path

    def records(self) -> dict[str, Record]:
        """The documents that searches find, by uri."""
        return {record.uri: record for record in self._select(finished=True)}

    def begun(self) -> list[Record]:
        """The documents whose writing was begun and not finished; `chunks` may have been written, or fewer."""
        return self._select(finished=False)

    def failures(self) -> dict[str, Failure]:
        """The documents that failed when they were last tried, by uri."""
        if not self._path.is_file():
            return {}
        with self._open() as db:
            rows = db.execute("SELECT uri, source, hash, reason, retryable, at FROM failures").fetchall()
        names = ("uri", "source", "hash", "reason", "retryable", "at")
        failures = (dict(zip(names, row, strict=True)) for row in rows)
        return {f["uri"]: Failure(**{**f, "retryable": bool(f["retryable"])}) for f in failures}

    def begin(self, records: Sequence[Record]) -> None:
        """Note that so many chunks of these documents are about to be written."""
        with self._open() as db:
            self._insert(db, records, finished=False)

    def finish(self, records: Sequence[Record]) -> None:
        """Note that searches find these documents now, instead of what they were before."""
        now = time.time()
        with self._open() as db:
            self._insert(db, [replace(record, at=now) for record in records], finished=True)
            uris = [(record.uri,) for record in records]
            db.executemany("DELETE FROM documents WHERE uri = ? AND NOT finished", uris)
            db.executemany("DELETE FROM failures WHERE uri = ?", uris)

    def abandon(self, uris: Sequence[str]) -> None:
        """Forget that writing these documents was begun."""
        with self._open() as db:
            db.executemany("DELETE FROM documents WHERE uri = ? AND NOT finished", [(uri,) for uri in uris])

    def fail(self, failures: Sequence[Failure]) -> None:
        """Note why documents failed; what was in the index of them stays."""
        rows = [(f.uri, f.source, f.hash, f.reason, f.retryable, time.time()) for f in failures]
        with self._open() as db:
            db.executemany("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?)", rows)

    def remove(self, uris: Sequence[str]) -> None:
        """Forget documents and their failures."""
        rows = [(uri,) for uri in uris]
        with self._open() as db:
            db.executemany("DELETE FROM documents WHERE uri = ?", rows)
            db.executemany("DELETE FROM failures WHERE uri = ?", rows)

    def _select(self, *, finished: bool) -> list[Record]:
        if not self._path.is_file():
            return []
        with self._open() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM documents WHERE finished = ?", [finished]).fetchall()  # noqa: S608
        names = _COLUMNS.split(", ")
        return [Record(**dict(zip(names, row, strict=True))) for row in rows]

    def _insert(self, db: sqlite3.Connection, records: Sequence[Record], *, finished: bool) -> None:
        rows = [(r.uri, finished, r.source, r.title, r.hash, r.revision, r.chunks, r.bytes, r.at) for r in records]
        db.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with opened(self._path, SCHEMA) as db:
            yield db


@contextmanager
def opened(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """A transaction on the SQLite file `path`, made with `schema` if need be. Raises StoreError."""
    db = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=_BUSY_S)
        with db:
            run_script(db, f"PRAGMA synchronous = NORMAL; {schema}", wait_s=_BUSY_S)
            yield db
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"can't use {path}: {error}",
            expected="a writable folder with free space",
            remedy="check the disk and its rights",
        ) from None
    finally:
        if db is not None:
            db.close()
