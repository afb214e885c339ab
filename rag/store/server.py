"""A Qdrant server or cluster, through qdrant-client."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote

from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException

from rag.errors import ConfigError, StoreError
from rag.sections import Server
from rag.settings import redact_url
from rag.store.collection import create, search_params
from rag.store.filters import Dialect, conditions
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

PAGE, PAGE_IDS = 1000, 10_000
# The marks of stored chunks: searches find live ones only.
STAGED, LIVE = "staged", "live"
# The server refuses a request of more than 32 MB, and a point of a wide embedder takes up to 70 kB as JSON.
WRITE_POINTS = 256
DEFAULTS = Server()
# Of a leg: how many chunks, and out of which.
_Wanted = tuple[int, models.Filter]


def connect(url: str, *, api_key: str, timeout_s: float) -> QdrantClient:
    """A client for the server at `url`; nothing is sent yet. Raises ConfigError for something that is no URL."""
    try:
        return QdrantClient(url=url, api_key=api_key or None, timeout=math.ceil(timeout_s), check_compatibility=False)
    except ValueError as error:
        raise ConfigError(
            f"store.url is '{redact_url(url)}': {redact_url(str(error))}",
            expected="the http or https address of a Qdrant server",
            remedy="change it in plumbline.toml, or in --set",
        ) from None


@contextmanager
def translated() -> Iterator[None]:
    """The client's errors as StoreError."""
    try:
        yield
    except (ApiException, QdrantException, ValueError) as error:
        raise StoreError(
            f"the Qdrant server refused or can't be reached: {redact_url(str(error))[:300]}",
            expected="a running server at store.url",
            remedy="start it ('docker compose up -d qdrant'), or change store.url; 'plumb doctor' checks it",
        ) from None


def version_collection(collection: str, version: str) -> str:
    """The collection that holds a version of an index."""
    return f"{collection}-{version}"


class Alias:
    """Which version of an index is live, as the server's alias says; it bears the name of the setting."""

    def __init__(self, client: QdrantClient, name: str) -> None:
        """Nothing is asked yet."""
        self._client = client
        self._name = name

    def live(self) -> str:
        """The live version; '' when the alias is not there."""
        with translated():
            aliases = self._client.get_aliases().aliases
        found = next((a.collection_name for a in aliases if a.alias_name == self._name), "")
        return found.removeprefix(version_collection(self._name, ""))

    def switch(self, version: str) -> None:
        """Point to another version, in one step."""
        drop = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._name))
        point = models.CreateAlias(collection_name=version_collection(self._name, version), alias_name=self._name)
        create = models.CreateAliasOperation(create_alias=point)
        operations: list[models.AliasOperations] = [drop, create] if self.live() else [create]
        with translated():
            self._client.update_collection_aliases(operations)

    def delete(self, version: str) -> None:
        """Remove the collection of a version."""
        with translated():
            self._client.delete_collection(version_collection(self._name, version))


class ServerStore:
    """A Store in a collection of a Qdrant server. The dense vector bears its embedder's name."""

    def __init__(
        self, client: QdrantClient, collection: str, *, embedder: str, dimension: int, options: Server = DEFAULTS
    ) -> None:
        """Name the collection; it is made at the first write, as `options` say."""
        self._client = client
        self._collection = collection
        self._embedder = embedder
        # The server takes no colon and no slash in the name of a vector.
        self._dense = quote(embedder, safe="")
        self._dimension = dimension
        self._options = options
        self._known = False

    def prepare(self) -> None:
        """Make the collection, if it is not there yet."""
        with translated():
            self._ensure()

    def stage(self, entries: Sequence[Entry]) -> None:
        """Write chunks that no search finds yet, durable on return."""
        self._stage(entries, replace=None)

    def restage(self, entries: Sequence[Entry]) -> None:
        """As `stage`, but a chunk that searches find stays as it is: an earlier try, given up for lost, may come late.

        Needs Qdrant 1.16; an older server replaces the chunk.
        """
        self._stage(entries, replace=_STAGED)

    def _stage(self, entries: Sequence[Entry], *, replace: models.Filter | None) -> None:
        if not entries:
            return
        with translated():
            self._ensure()
            for start in range(0, len(entries), WRITE_POINTS):
                points = [self._point(entry) for entry in entries[start : start + WRITE_POINTS]]
                self._client.upsert(self._collection, points, wait=True, update_filter=replace)

    def publish(self, new: Sequence[Revision], *, retired: Sequence[Revision] = ()) -> None:
        """Let searches find `new` and forget `retired`: one request, which the server carries out in a row.

        A search in between may find both, or a part of `new`; a run that was cut off there is mended by the next.
        """
        switch: list[models.UpdateOperation] = [*_published(new), *_retired(retired)]
        with translated():
            if switch and self._exists():
                self._client.batch_update_points(self._collection, switch, wait=True)

    def discard(self) -> None:
        """Forget what is staged."""
        with translated():
            if self._exists():
                self._client.delete(self._collection, models.FilterSelector(filter=_STAGED), wait=True)

    def retrieve(self, ids: Sequence[str]) -> list[Chunk]:
        """Those of these chunks that searches find."""
        with translated():
            if not (ids and self._exists()):
                return []
            records = self._client.retrieve(self._collection, list(ids), with_payload=True)
        found = [(record.id, record.payload or {}) for record in records]
        return [to_chunk(identifier, payload) for identifier, payload in found if payload.get(MARK) == LIVE]

    def score(self, vectors: Vectors, *, depth: int, scope: Scope = PUBLIC) -> list[Scored]:
        """The best `depth` chunks of each leg within the scope, each with its score in both."""
        with translated():
            if not self._exists():
                return []
            must, must_not = conditions(scope, _DIALECT)
            within = models.Filter(must=[*must, _IS_LIVE], must_not=must_not)
            dense, lexical = self._query(vectors, (depth, within), (depth, within))
            ids, no_dense, no_lexical = merge(dense, lexical)
            rest = self._query(vectors, (len(no_dense), _within(no_dense)), (len(no_lexical), _within(no_lexical)))
        return joined(ids, dict(dense + rest[0]), dict(lexical + rest[1]))

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, read a page at a time."""
        return (to_chunk(record.id, record.payload or {}) for record in self._live(PAGE, with_payload=True))

    def ids(self) -> Iterator[str]:
        """The ids of all chunks, read many at a time."""
        return (str(record.id) for record in self._live(PAGE_IDS, with_payload=False))

    def count(self) -> int:
        """How many chunks can be found."""
        with translated():
            if not self._exists():
                return 0
            return self._client.count(self._collection, count_filter=_LIVE, exact=True).count

    def close(self) -> None:
        """Nothing is held."""

    def _point(self, entry: Entry) -> models.PointStruct:
        vector: dict[str, Any] = {self._dense: list(entry.vectors.dense), LEXICAL: _sparse(entry.vectors)}
        return models.PointStruct(id=entry.chunk.id, vector=vector, payload=to_payload(entry.chunk, mark=STAGED))

    def _query(self, vectors: Vectors, dense: _Wanted, lexical: _Wanted) -> list[list[tuple[str, float]]]:
        """Ids with their scores in each leg, by one request."""
        asked: list[tuple[str, Any, _Wanted, models.SearchParams | None]] = [
            (self._dense, list(vectors.dense), dense, search_params(self._options)),
            (LEXICAL, _sparse(vectors), lexical, None),
        ]
        requests = [
            # The server refuses a limit of 0, as for a filter that nothing passes.
            models.QueryRequest(query=vector, using=leg, limit=max(limit, 1), filter=chosen, params=params)
            for leg, vector, (limit, chosen), params in asked
        ]
        found = self._client.query_batch_points(self._collection, requests)
        return [[(str(point.id), point.score) for point in answer.points] for answer in found]

    def _live(self, page: int, *, with_payload: bool) -> Iterator[models.Record]:
        """What searches find, so many at a time."""
        offset: Any = None
        while True:
            with translated():
                if not self._exists():
                    return
                records, offset = self._client.scroll(
                    self._collection, limit=page, offset=offset, scroll_filter=_LIVE, with_payload=with_payload
                )
            yield from records
            if offset is None:
                return

    def _exists(self) -> bool:
        if not self._known and self._client.collection_exists(self._collection):
            collection = self._client.get_collection(self._collection)
            vectors = collection.config.params.vectors
            if not isinstance(vectors, dict) or self._dense not in vectors:
                stored = unquote(", ".join(vectors)) if isinstance(vectors, dict) else "an unnamed model"
                raise other_embedder(self._collection, stored, self._embedder)
            # The client's engine in memory tells of no indexes.
            if collection.payload_schema and READERS not in collection.payload_schema:
                raise StoreError(
                    f"the collection {self._collection} was made by another version of plumb",
                    expected="chunks that say who may read them",
                    remedy="build another version of the index: plumb index build",
                )
            self._known = True
        return self._known

    def _ensure(self) -> None:
        if self._exists():
            return
        create(self._client, self._collection, {self._dense: self._dimension}, self._options)
        for field in (MARK, READERS, PATH):
            self._client.create_payload_index(self._collection, field, models.PayloadSchemaType.KEYWORD, wait=True)


_IS_LIVE = models.FieldCondition(key=MARK, match=models.MatchValue(value=LIVE))
_LIVE = models.Filter(must=[_IS_LIVE])
_DIALECT = Dialect(
    whole=models.Filter,
    field=models.FieldCondition,
    any_of=models.MatchAny,
    numbers=models.Range,
    times=models.DatetimeRange,
)
_STAGED = models.Filter(must=[models.FieldCondition(key=MARK, match=models.MatchValue(value=STAGED))])


def _within(ids: Sequence[str]) -> models.Filter:
    return models.Filter(must=[models.HasIdCondition(has_id=list(ids))])


def _published(revisions: Sequence[Revision]) -> Iterator[models.SetPayloadOperation]:
    ids = [chunk for revision in revisions for chunk in revision.chunk_ids]
    if ids:
        yield models.SetPayloadOperation(set_payload=models.SetPayload(payload={MARK: LIVE}, points=list(ids)))


def _retired(revisions: Sequence[Revision]) -> Iterator[models.DeleteOperation]:
    ids = [chunk for revision in revisions for chunk in revision.chunk_ids]
    if ids:
        yield models.DeleteOperation(delete=models.PointIdsList(points=list(ids)))


def _sparse(vectors: Vectors) -> models.SparseVector:
    return models.SparseVector(indices=list(vectors.lexical.indices), values=list(vectors.lexical.values))
