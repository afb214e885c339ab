"""The embedded Qdrant engine: a folder on disk, no server.

The engine lets one process open a folder at a time: `rag/store/lease.py` has them take turns.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import qdrant_edge as qdrant

from rag.durable import replace_text
from rag.errors import StoreError
from rag.store.filters import Dialect, conditions
from rag.store.hidden import Hidden, revision_name
from rag.store.lease import Lease
from rag.store.protocol import (
    LEXICAL,
    MARK,
    PATH,
    READERS,
    Entry,
    Scored,
    joined,
    merge,
    other_embedder,
    to_chunk,
    to_payload,
)
from rag.types import PUBLIC, Chunk, Revision, Scope, Vectors

DENSE = "dense"
PAGE = 1000
SLICE = 5000
# Of the folder: another one is refused.
FORMAT = 3
# So many chunks are searched one by one before a graph over them is built, which takes some 3 s and holds the folder.
# Each such segment stays as it is: merging them would build ever larger graphs anew.
SEGMENT_POINTS = 10_000
SEGMENTS = 10_000
# Of a leg: how many chunks, and out of which.
_Wanted = tuple[int, Any]
_DIALECT = Dialect(
    whole=qdrant.Filter,
    field=qdrant.FieldCondition,
    any_of=qdrant.MatchAny,
    numbers=qdrant.RangeFloat,
    times=qdrant.RangeDateTime,
)
# What the engine says of a full disk.
_NO_SPACE = ("Not enough space available", "No space left")


@dataclass(slots=True)
class _Opened:
    shard: Any
    hidden: Hidden

    @property
    def visible(self) -> Any:
        """What restricts a search to what is published; None where everything is."""
        return qdrant.Filter(must_not=self._hidden) if self.hidden.names else None

    def within(self, scope: Scope) -> Any:
        """What restricts a search to what is published and within a scope."""
        must, must_not = conditions(scope, _DIALECT)
        return qdrant.Filter(must=must, must_not=[*must_not, *self._hidden])

    @property
    def _hidden(self) -> list[Any]:
        names = self.hidden.names
        return [qdrant.FieldCondition(key=MARK, match=qdrant.MatchAny(any=names))] if names else []

    def close(self) -> None:
        self.shard.close()


class EdgeStore:
    """A Store in a folder. Each chunk is marked with its revision, and searches leave out those of hidden ones."""

    def __init__(
        self, folder: Path, *, embedder: str, dimension: int, lock_timeout_s: float, min_free_mb: int = 100
    ) -> None:
        """Name the folder; nothing is read or written yet."""
        self._folder = folder
        self._min_free_mb = min_free_mb
        self._identity: dict[str, Any] = {"format": FORMAT, "embedder": embedder, "dimension": dimension}
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
        self._delete_retired()
        points = [
            qdrant.Point(
                entry.chunk.id,
                {DENSE: list(entry.vectors.dense), LEXICAL: _sparse(entry.vectors)},
                to_payload(entry.chunk, mark=_mark(entry.chunk)),
            )
            for entry in entries
        ]
        with self._turn() as opened:
            self._hide(opened, opened.hidden.with_staged({_mark(entry.chunk) for entry in entries}))
            _finish_segment(opened.shard)
            opened.shard.update(qdrant.UpdateOperation.upsert_points(points))
            opened.shard.flush()

    def publish(self, new: Sequence[Revision], *, retired: Sequence[Revision] = ()) -> None:
        """Let searches find `new` and forget `retired`, in one step for every reader and through a crash."""
        if not (new or (retired and self._exists())):
            return
        with self._turn() as opened:
            self._hide(opened, opened.hidden.switched(new, retired))
        self._delete_retired()

    def discard(self) -> None:
        """Forget what is staged."""
        if not self._exists():
            return
        with self._turn() as opened:
            if opened.hidden.staged:
                staged = qdrant.MatchAny(any=sorted(opened.hidden.staged))
                chosen = qdrant.Filter(must=[qdrant.FieldCondition(key=MARK, match=staged)])
                opened.shard.update(qdrant.UpdateOperation.delete_points_by_filter(chosen))
                opened.shard.flush()
                self._hide(opened, replace(opened.hidden, staged=frozenset()))

    def retrieve(self, ids: Sequence[str]) -> list[Chunk]:
        """Those of these chunks that searches find."""
        if not (ids and self._exists()):
            return []
        with self._turn() as opened:
            hidden = set(opened.hidden.names)
            records = opened.shard.retrieve(list(ids), with_payload=True, with_vector=False)
        return [to_chunk(record.id, record.payload) for record in records if record.payload.get(MARK) not in hidden]

    def score(self, vectors: Vectors, *, depth: int, scope: Scope = PUBLIC) -> list[Scored]:
        """The best `depth` chunks of each leg within the scope, each with its score in both."""
        if not self._exists():
            return []
        with self._turn() as opened:
            shard, within = opened.shard, opened.within(scope)
            dense, lexical = _query(shard, vectors, (depth, within), (depth, within))
            ids, no_dense, no_lexical = merge(dense, lexical)
            rest = _query(shard, vectors, (len(no_dense), _within(no_dense)), (len(no_lexical), _within(no_lexical)))
        return joined(ids, dict(dense + rest[0]), dict(lexical + rest[1]))

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, read a page at a time."""
        offset: Any = None
        while self._exists():
            with self._turn() as opened:
                records, offset = opened.shard.scroll(
                    qdrant.ScrollRequest(limit=PAGE, offset=offset, filter=opened.visible, with_payload=True)
                )
            yield from (to_chunk(record.id, record.payload) for record in records)
            if offset is None:
                return

    def ids(self) -> Iterator[str]:
        """The ids of all chunks, read many at a time: a tenth of the time of `chunks()`."""
        offset: Any = None
        while self._exists():
            with self._turn() as opened:
                records, offset = opened.shard.scroll(
                    qdrant.ScrollRequest(limit=SLICE, offset=offset, filter=opened.visible, with_payload=False)
                )
            yield from (str(record.id) for record in records)
            if offset is None:
                return

    def count(self) -> int:
        """How many chunks can be found."""
        if not self._exists():
            return 0
        with self._turn() as opened:
            return int(opened.shard.count(qdrant.CountRequest(exact=True, filter=opened.visible)))

    def close(self) -> None:
        """Let other processes have the folder at once; the next call opens it again."""
        self._lease.close()

    def _exists(self) -> bool:
        return self._identity_file.is_file()

    @property
    def _identity_file(self) -> Path:
        return self._folder / "plumbline.json"

    @property
    def _hidden_file(self) -> Path:
        return self._folder / "hidden.json"

    def _require_space(self) -> None:
        # The engine writes through memory maps and grows its files by 32 MB: on a full disk the system would end the
        # process, with no other word than "Bus error".
        there = next(folder for folder in self._folder.parents if folder.is_dir())
        free = shutil.disk_usage(there).free
        if free < self._min_free_mb * 1_000_000:
            raise StoreError(
                f"the disk of the index {self._folder} has {free / 1e6:,.0f} MB free",
                expected=f"at least store.min_free_mb = {self._min_free_mb:,}",
                remedy="free space there, or set data_dir to another disk",
            )

    def _hide(self, opened: _Opened, hidden: Hidden) -> None:
        if hidden != opened.hidden:
            hidden.write(self._hidden_file)
            opened.hidden = hidden

    def _delete_retired(self) -> None:
        """Delete the chunks of retired revisions, those too that a crash left; other processes get turns meanwhile."""
        if not self._exists():
            return
        with self._turn() as opened:
            retired = opened.hidden.retired
        for ids in _slices(retired):
            with self._turn() as opened:
                opened.shard.update(qdrant.UpdateOperation.delete_points(ids))
        if retired:
            with self._turn() as opened:
                opened.shard.flush()
                self._hide(opened, opened.hidden.without(retired))

    @contextmanager
    def _turn(self) -> Iterator[_Opened]:
        try:
            with self._lease.turn() as opened:
                yield opened
        except (StoreError, GeneratorExit):
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unusable(self._folder, error) from None
        except Exception as error:
            if type(error) is not Exception:  # what the engine raises
                raise
            raise _unusable(self._folder, error) from None

    def _load(self) -> _Opened:
        if not self._exists():
            return _Opened(shard=self._create(), hidden=Hidden())
        identity = json.loads(self._identity_file.read_text())
        if identity["embedder"] != self._identity["embedder"]:
            raise other_embedder(str(self._folder), identity["embedder"], self._identity["embedder"])
        if identity != self._identity:
            raise StoreError(
                f"the index {self._folder} was made by another version of plumb",
                expected=f"{self._identity}, seen {identity}",
                remedy="name another store.collection, or remove the folder, and ingest again",
            )
        hidden = Hidden.read(self._hidden_file)
        return _Opened(shard=qdrant.EdgeShard.load(str(self._folder)), hidden=hidden)

    def _create(self) -> Any:
        # A folder without an identity is what a crash left while it was made: it holds nothing yet.
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        shard = qdrant.EdgeShard.create(
            str(self._folder),
            qdrant.EdgeConfig(
                vectors={DENSE: _dense(self._identity["dimension"])},
                sparse_vectors={LEXICAL: qdrant.EdgeSparseVectorParams(modifier=qdrant.Modifier.Idf)},
                optimizers=_segments(self._identity["dimension"]),
            ),
        )
        for field in (MARK, READERS, PATH):
            shard.update(qdrant.UpdateOperation.create_field_index(field, qdrant.PayloadSchemaType.Keyword))
        Hidden().write(self._hidden_file)
        # Written last and at once: from here on the folder counts as made.
        replace_text(self._identity_file, json.dumps(self._identity))
        return shard


def _dense(dimension: int) -> Any:
    # Searched in copies of a byte a number, which takes half the time; the full vectors have the last word.
    copies = qdrant.ScalarQuantizationConfig(type=qdrant.ScalarType.Int8)
    return qdrant.EdgeVectorParams(size=dimension, distance=qdrant.Distance.Cosine, quantization_config=copies)


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


def _mark(chunk: Chunk) -> str:
    return revision_name(chunk.uri, chunk.revision)


def _slices(revisions: Sequence[Revision]) -> Iterator[list[Any]]:
    """The ids of their chunks, so many at a time that one step is short and needs little memory."""
    ids = (chunk for revision in revisions for chunk in revision.chunk_ids)
    while some := list(islice(ids, SLICE)):
        yield some


def _sparse(vectors: Vectors) -> Any:
    return qdrant.SparseVector(list(vectors.lexical.indices), list(vectors.lexical.values))


def _query(shard: Any, vectors: Vectors, dense: _Wanted, lexical: _Wanted) -> list[list[tuple[str, float]]]:
    """Ids with their scores in each leg, by one pass over the segments."""
    asked = [(DENSE, list(vectors.dense), *dense), (LEXICAL, _sparse(vectors), *lexical)]
    rescored = qdrant.SearchParams(quantization=qdrant.QuantizationSearchParams(rescore=True))
    requests = [
        qdrant.QueryRequest(limit=limit, query=qdrant.Query.Nearest(vector, using=leg), filter=chosen, params=rescored)
        for leg, vector, limit, chosen in asked
    ]
    found = shard.query_batch(qdrant.QueryBatchRequest(requests))
    return [[(str(point.id), float(point.score)) for point in points] for points in found]


def _within(ids: Sequence[str]) -> Any:
    return qdrant.Filter(must=[qdrant.HasIdCondition(set(ids))])


def _unusable(folder: Path, error: Exception) -> StoreError:
    if any(told in str(error) for told in _NO_SPACE):
        return StoreError(
            f"the disk of the index {folder} is full: {error}",
            expected="free space",
            remedy="free space there, or set data_dir to another disk",
        )
    return StoreError(
        f"can't use the index {folder}: {error}",
        expected="a writable folder made by this version",
        remedy="check the disk and its rights, or remove the folder and ingest again",
    )
