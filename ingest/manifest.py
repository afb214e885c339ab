"""What is in the index, document by document: the memory that makes a second ingest cost nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rag.errors import StoreError

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    uri TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    hash TEXT NOT NULL,
    recipe TEXT NOT NULL,
    chunk_ids TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A document as it stands in the index. `recipe` names the embedder and the chunking it was made with."""

    uri: str
    source: str
    hash: str
    recipe: str
    chunk_ids: tuple[str, ...]


class Manifest:
    """One SQLite file beside the index. Every method raises StoreError when the disk refuses."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is made at the first write."""
        self._path = path

    def records(self) -> dict[str, Record]:
        """All documents by uri."""
        if not self._path.is_file():
            return {}
        with self._open() as db:
            rows = db.execute("SELECT uri, source, hash, recipe, chunk_ids FROM documents").fetchall()
        return {
            uri: Record(uri=uri, source=source, hash=digest, recipe=recipe, chunk_ids=tuple(json.loads(ids)))
            for uri, source, digest, recipe, ids in rows
        }

    def put(self, records: Sequence[Record]) -> None:
        """Write or replace documents, all or none."""
        rows = [(r.uri, r.source, r.hash, r.recipe, json.dumps(r.chunk_ids)) for r in records]
        with self._open() as db:
            db.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)", rows)

    def remove(self, uris: Sequence[str]) -> None:
        """Forget documents, all or none."""
        with self._open() as db:
            db.executemany("DELETE FROM documents WHERE uri = ?", [(uri,) for uri in uris])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=10)
            with db:
                db.execute(SCHEMA)
                yield db
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"can't use {self._path}: {error}",
                expected="a writable folder with free space",
                remedy="check the disk and its rights",
            ) from None
        finally:
            if db is not None:
                db.close()
