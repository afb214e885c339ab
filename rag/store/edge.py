"""The embedded Qdrant engine: a folder on disk, no server.

The engine lets one process open a folder at a time: `rag/store/lease.py` has them take turns.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import qdrant_edge as qdrant

from rag.errors import StoreError
from rag.store.lease import Lease
from rag.store.protocol import (
    LEXICAL,
    LIVE,
    STAGED,
    STATE,
    Candidate,
    Entry,
    joined,
    merge,
    other_embedder,
    to_chunk,
    to_payload,
)
from rag.types import Chunk, Revision, Vectors

DENSE = "dense"
PAGE = 1000
SLICE = 5000
# The engine writes through memory maps and grows its files by 32 MB: on a full disk the system ends the process.
RESERVE_BYTES = 100_000_000
# So many chunks are searched one by one before a graph over them is built, which takes some 3 s and holds the folder.
# Each such segment stays as it is: merging them would build ever larger graphs anew.
SEGMENT_POINTS = 10_000
SEGMENTS = 10_000


class EdgeStore:
    """A Store in a folder."""

    def __init__(self, folder: Path, *, embedder: str, dimension: int, lock_timeout_s: float) -> None:
        """Name the folder; nothing is read or written yet."""
        self._folder = folder
        self._identity: dict[str, Any] = {"embedder": embedder, "dimension": dimension}
        self._lease = Lease(folder, self._load, timeout_s=lock_timeout_s)

    def prepare(self) -> None:
        """Make the folder, if it is not there yet."""
        if not self._exists():
            self._require_space()
            with self._turn():
                pass

    def stage(self, entries: Sequence[Entry]) -> None:
        """Write chunks that no search finds yet, durable on return."""
        if not entries:
            return
        self._require_space()
        points = [
            qdrant.Point(
                entry.chunk.id,
                {DENSE: list(entry.vectors.dense), LEXICAL: _sparse(entry.vectors)},
                to_payload(entry.chunk),
            )
            for entry in entries
        ]
        with self._turn() as shard:
            # First: the chunks before are live by now, and one that becomes live later is moved out of its segment.
            _finish_segment(shard)
            shard.update(qdrant.UpdateOperation.upsert_points(points))
            shard.flush()

    def publish(self, new: Sequence[Revision], *, retired: Sequence[Revision] = ()) -> None:
        """Let searches find `new` and forget `retired`, in one step for every reader and through a crash."""
        if not (new or (retired and self._exists())):
            return
        with self._turn() as shard:
            self._note_switch({"publish": _plain(new), "retire": _plain(retired)})
            self._switch(shard)

    def discard(self) -> None:
        """Forget what is staged."""
        if self._exists():
            with self._turn() as shard:
                shard.update(qdrant.UpdateOperation.delete_points_by_filter(_STAGED))
                shard.flush()

    def retrieve(self, ids: Sequence[str]) -> list[Chunk]:
        """Those of these chunks that searches find."""
        if not (ids and self._exists()):
            return []
        with self._turn() as shard:
            records = shard.retrieve(list(ids), with_payload=True, with_vector=False)
        return [to_chunk(record.id, record.payload) for record in records if record.payload.get(STATE) == LIVE]

    def candidates(self, vectors: Vectors, *, depth: int) -> list[Candidate]:
        """The best `depth` chunks of each leg, each with its score in both."""
        if not self._exists():
            return []
        with self._turn() as shard:
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
            request = qdrant.ScrollRequest(limit=PAGE, offset=offset, filter=_LIVE, with_payload=True)
            with self._turn() as shard:
                records, offset = shard.scroll(request)
            yield from (to_chunk(record.id, record.payload) for record in records)
            if offset is None:
                return

    def count(self) -> int:
        """How many chunks can be found."""
        if not self._exists():
            return 0
        with self._turn() as shard:
            return int(shard.count(qdrant.CountRequest(exact=True, filter=_LIVE)))

    def close(self) -> None:
        """Let other processes have the folder at once; the next call opens it again."""
        self._lease.close()

    def _exists(self) -> bool:
        return self._identity_file.is_file()

    @property
    def _identity_file(self) -> Path:
        return self._folder / "plumbline.json"

    @property
    def _switch_file(self) -> Path:
        return self._folder / "switch.json"

    def _require_space(self) -> None:
        there = next(folder for folder in self._folder.parents if folder.is_dir())
        free = shutil.disk_usage(there).free
        if free < RESERVE_BYTES:
            raise StoreError(
                f"the disk of the index {self._folder} has {free / 1e6:,.0f} MB free",
                expected=f"at least {RESERVE_BYTES / 1e6:,.0f} MB",
                remedy="free space there, or set data_dir to another disk",
            )

    def _note_switch(self, switch: Mapping[str, Any]) -> None:
        """Write down what is to be done, so that whoever opens the folder after a crash does it first."""
        draft = self._switch_file.with_suffix(".new")
        with draft.open("w") as file:
            json.dump(switch, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._switch_file)

    def _switch(self, shard: Any) -> None:
        switch = json.loads(self._switch_file.read_text())
        for ids in _slices(switch["publish"]):
            shard.update(qdrant.UpdateOperation.set_payload(ids, {STATE: LIVE}))
            _finish_segment(shard)
        for ids in _slices(switch["retire"]):
            shard.update(qdrant.UpdateOperation.delete_points(ids))
        shard.flush()
        self._switch_file.unlink()

    @contextmanager
    def _turn(self) -> Iterator[Any]:
        try:
            with self._lease.turn() as shard:
                yield shard
        except (StoreError, GeneratorExit):
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unusable(self._folder, error) from None
        except Exception as error:
            if type(error) is not Exception:  # what the engine raises
                raise
            raise _unusable(self._folder, error) from None

    def _load(self) -> Any:
        if not self._exists():
            return self._create()
        identity = json.loads(self._identity_file.read_text())
        if identity != self._identity:
            raise other_embedder(str(self._folder), identity["embedder"], self._identity["embedder"])
        shard = qdrant.EdgeShard.load(str(self._folder))
        if self._switch_file.is_file():
            self._switch(shard)
        return shard

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
                optimizers=_segments(self._identity["dimension"]),
            ),
        )
        shard.update(qdrant.UpdateOperation.create_field_index(STATE, qdrant.PayloadSchemaType.Keyword))
        # Written last and at once: from here on the folder counts as made.
        draft = self._identity_file.with_suffix(".new")
        draft.write_text(json.dumps(self._identity))
        draft.replace(self._identity_file)
        return shard


_LIVE = qdrant.Filter(must=[qdrant.FieldCondition(key=STATE, match=qdrant.MatchValue(value=LIVE))])
_STAGED = qdrant.Filter(must=[qdrant.FieldCondition(key=STATE, match=qdrant.MatchValue(value=STAGED))])


def _segments(dimension: int) -> Any:
    kilobytes = SEGMENT_POINTS * dimension * 4 // 1024
    return qdrant.EdgeOptimizersConfig(
        max_segment_size=2 * kilobytes, indexing_threshold=kilobytes // 2, default_segment_number=SEGMENTS
    )


def _finish_segment(shard: Any) -> None:
    """Build the graph over the chunks that are in none yet, if there are many.

    The engine counts their lexical vectors as indexed from the start.
    """
    info = shard.info()
    if 2 * info.points_count - info.indexed_vectors_count > SEGMENT_POINTS:
        shard.optimize()


def _plain(revisions: Sequence[Revision]) -> list[dict[str, Any]]:
    return [asdict(revision) for revision in revisions]


def _slices(revisions: Sequence[Mapping[str, Any]]) -> Iterator[list[Any]]:
    """The ids of their chunks, so many at a time that one step needs little memory."""
    ids = (chunk for revision in revisions for chunk in Revision(**revision).chunk_ids)
    while some := list(islice(ids, SLICE)):
        yield some


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
            filter=qdrant.Filter(must=[qdrant.HasIdCondition(set(within))]) if within else _LIVE,
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
