"""The embedded Qdrant engine: a folder on disk, no server.

The engine lets one process open a folder at a time. Each operation opens it under a file lock and closes it
again (about 45 ms), so that a chat page, an ingest run and a search can share one index by taking turns.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as qdrant
from filelock import FileLock, Timeout

from rag.errors import StoreError
from rag.store.protocol import LEXICAL, Candidate, Entry, joined, merge, other_embedder, to_chunk, to_payload
from rag.types import Chunk, Vectors

DENSE = "dense"
PAGE = 1000
# The engine writes through memory maps and grows its files by 32 MB: on a full disk the system ends the process.
RESERVE_BYTES = 100_000_000


class EdgeStore:
    """A Store in a folder."""

    def __init__(self, folder: Path, *, embedder: str, dimension: int, lock_timeout_s: float) -> None:
        """Name the folder; nothing is read or written yet."""
        self._folder = folder
        self._identity: dict[str, Any] = {"embedder": embedder, "dimension": dimension}
        self._lock_timeout_s = lock_timeout_s
        self._thread_lock = threading.Lock()

    def upsert(self, entries: Sequence[Entry]) -> None:
        """Write entries, durable on return."""
        points = [
            qdrant.Point(
                entry.chunk.id,
                {DENSE: list(entry.vectors.dense), LEXICAL: _sparse(entry.vectors)},
                to_payload(entry.chunk),
            )
            for entry in entries
        ]
        if points:
            self._require_space()
            self._update(qdrant.UpdateOperation.upsert_points(points))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove chunks by id."""
        if ids and self._exists():
            self._update(qdrant.UpdateOperation.delete_points(list(ids)))

    def candidates(self, vectors: Vectors, *, depth: int) -> list[Candidate]:
        """The best `depth` chunks of each leg, each with its score in both."""
        if not self._exists():
            return []
        with self._open() as shard:
            dense = _query(shard, DENSE, list(vectors.dense), depth)
            lexical = _query(shard, LEXICAL, _sparse(vectors), depth)
            ids, no_dense, no_lexical = merge(dense, lexical)
            dense_of = dict(dense + _query(shard, DENSE, list(vectors.dense), len(no_dense), within=no_dense))
            lexical_of = dict(lexical + _query(shard, LEXICAL, _sparse(vectors), len(no_lexical), within=no_lexical))
            records = shard.retrieve(ids, with_payload=True, with_vector=False)
        return joined(ids, [to_chunk(record.id, record.payload) for record in records], dense_of, lexical_of)

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, read a page at a time."""
        offset: Any = None
        while self._exists():
            with self._open() as shard:
                records, offset = shard.scroll(qdrant.ScrollRequest(limit=PAGE, offset=offset, with_payload=True))
            yield from (to_chunk(record.id, record.payload) for record in records)
            if offset is None:
                return

    def count(self) -> int:
        """How many chunks are stored."""
        if not self._exists():
            return 0
        with self._open() as shard:
            return int(shard.count(qdrant.CountRequest(exact=True)))

    def _exists(self) -> bool:
        return self._identity_file.is_file()

    @property
    def _identity_file(self) -> Path:
        return self._folder / "plumbline.json"

    def _require_space(self) -> None:
        there = next(folder for folder in self._folder.parents if folder.is_dir())
        free = shutil.disk_usage(there).free
        if free < RESERVE_BYTES:
            raise StoreError(
                f"the disk of the index {self._folder} has {free / 1e6:,.0f} MB free",
                expected=f"at least {RESERVE_BYTES / 1e6:,.0f} MB",
                remedy="free space there, or set data_dir to another disk",
            )

    def _update(self, operation: Any) -> None:
        with self._open() as shard:
            shard.update(operation)
            shard.flush()

    @contextmanager
    def _open(self) -> Iterator[Any]:
        with self._locked():
            try:
                shard = self._load()
                try:
                    yield shard
                finally:
                    shard.close()
            except (StoreError, GeneratorExit):
                raise
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise _unusable(self._folder, error) from None
            except Exception as error:
                if type(error) is not Exception:
                    raise
                raise _unusable(self._folder, error) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(f"{self._folder}.lock", timeout=self._lock_timeout_s)
        with self._thread_lock:
            try:
                self._folder.parent.mkdir(parents=True, exist_ok=True)
                lock.acquire()
            except Timeout:
                raise StoreError(
                    f"the index {self._folder} is in use by another process",
                    expected=f"a turn within store.timeout_s = {self._lock_timeout_s:g} s",
                    remedy="try again when it is done",
                ) from None
            except OSError as error:
                raise _unusable(self._folder, error) from None
            try:
                yield
            finally:
                lock.release()

    def _load(self) -> Any:
        if not self._exists():
            return self._create()
        identity = json.loads(self._identity_file.read_text())
        if identity != self._identity:
            raise other_embedder(str(self._folder), identity["embedder"], self._identity["embedder"])
        return qdrant.EdgeShard.load(str(self._folder))

    def _create(self) -> Any:
        # A folder without an identity is what a crash left while it was made: it holds nothing yet.
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        shard = qdrant.EdgeShard.create(
            str(self._folder),
            qdrant.EdgeConfig(
                vectors={
                    DENSE: qdrant.EdgeVectorParams(size=self._identity["dimension"], distance=qdrant.Distance.Cosine)
                },
                sparse_vectors={LEXICAL: qdrant.EdgeSparseVectorParams(modifier=qdrant.Modifier.Idf)},
            ),
        )
        # Written last and at once: from here on the folder counts as made.
        draft = self._identity_file.with_suffix(".new")
        draft.write_text(json.dumps(self._identity))
        draft.replace(self._identity_file)
        return shard


def _sparse(vectors: Vectors) -> Any:
    return qdrant.SparseVector(list(vectors.lexical.indices), list(vectors.lexical.values))


def _query(
    shard: Any, leg: str, vector: Any, limit: int, *, within: Sequence[str] | None = None
) -> list[tuple[str, float]]:
    if limit == 0:
        return []
    found = shard.query(
        qdrant.QueryRequest(
            limit=limit,
            query=qdrant.Query.Nearest(vector, using=leg),
            filter=qdrant.Filter(must=[qdrant.HasIdCondition(set(within))]) if within else None,
            with_payload=False,
        )
    )
    return [(str(point.id), float(point.score)) for point in found]


def _unusable(folder: Path, error: Exception) -> StoreError:
    return StoreError(
        f"can't use the index {folder}: {error}",
        expected="a writable folder made by this version",
        remedy="check the disk and its rights, or remove the folder and ingest again",
    )
