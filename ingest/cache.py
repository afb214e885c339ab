"""Vectors that were already paid for: by model and text, across documents, revisions and index versions."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.manifest import opened
from rag.embed import Embedder, Matrix
from rag.settings import Settings

SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)"
_ASKED_AT_ONCE = 500


class VectorCache:
    """One SQLite file for all indexes of a data folder. When it is full, the oldest vectors are forgotten."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        """Name the file; it is made at the first use."""
        self._path = path
        self._max_bytes = max_bytes

    @classmethod
    def of(cls, settings: Settings) -> VectorCache:
        """The cache of the data folder that the settings name."""
        path = settings.data_path / "index" / "vectors.db"
        return cls(path, max_bytes=settings.ingest.max_cache_mb * 1_000_000)

    def unknown(self, model: str) -> Callable[[Sequence[str]], list[str]]:
        """A function that gives those of some texts that would have to be embedded, each only once over all calls."""
        seen: set[bytes] = set()

        def of(texts: Sequence[str]) -> list[str]:
            new = {key: text for text in texts if (key := _key(model, text)) not in seen}
            known = self._known(list(new)) if self._path.is_file() else {}
            seen.update(new)
            return [text for key, text in new.items() if key not in known]

        return of

    def embed(self, texts: Sequence[str], embedder: Embedder) -> tuple[Matrix, int]:
        """The vectors of the texts in order, and how many of them were made now. Raises ModelError, StoreError."""
        keys = [_key(embedder.name, text) for text in texts]
        # Another model of the same name may have been put on a server.
        known = {key: vector for key, vector in self._known(keys).items() if len(vector) == embedder.dimension}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        made = dict(zip(missing, embedder.embed(list(missing.values())), strict=True)) if missing else {}
        self._keep(made)
        vectors = {**known, **made}
        return np.array([vectors[key] for key in keys], dtype=np.float32), len(made)

    def _known(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        known: dict[bytes, NDArray[np.float32]] = {}
        with opened(self._path, SCHEMA) as db:
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                some = keys[start : start + _ASKED_AT_ONCE]
                marks = ", ".join("?" * len(some))
                rows = db.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some)  # noqa: S608
                known.update((key, np.frombuffer(vector, dtype=np.float32)) for key, vector in rows)
        return known

    def _keep(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        rows = [(key, vector.tobytes()) for key, vector in vectors.items()]
        if rows:
            with opened(self._path, SCHEMA) as db:
                db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
                if _used(db) > self._max_bytes:
                    oldest = "SELECT rowid FROM vectors ORDER BY rowid LIMIT ?"
                    db.execute(f"DELETE FROM vectors WHERE rowid IN ({oldest})", [2 * len(rows)])  # noqa: S608


def _used(db: sqlite3.Connection) -> int:
    """The bytes of the file that hold something."""
    pages, free, size = (db.execute(f"PRAGMA {n}").fetchone()[0] for n in ("page_count", "freelist_count", "page_size"))
    return int((pages - free) * size)


def _key(model: str, text: str) -> bytes:
    return hashlib.sha256(f"{model}\n{text}".encode(errors="surrogatepass")).digest()[:16]
