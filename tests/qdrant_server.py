"""A Qdrant server on the loopback for processes that share one: the REST calls of `rag/store/server.py`, answered by
qdrant-client's in-memory engine."""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlparse

from loopback import Server, served
from pydantic import BaseModel, TypeAdapter
from qdrant_client import QdrantClient, models

Body = dict[str, Any]


@dataclass
class FakeQdrant:
    """The engine, and what arrived: how collections were to be made, the vectors of points, queries."""

    url: str = ""
    client: QdrantClient = field(default_factory=lambda: QdrantClient(":memory:"))
    created: dict[str, Body] = field(default_factory=dict)
    vectors: dict[str, Body] = field(default_factory=dict)
    queries: list[Body] = field(default_factory=list)
    upserts: int = 0
    # Called with the number of each upsert before it is carried out.
    before_upsert: Callable[[int], None] = lambda number: None
    turn: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running() -> Iterator[FakeQdrant]:
    """A server that listens until the end of the block."""
    fake = FakeQdrant()
    with served(_Handler, fake) as fake.url:
        yield fake
    fake.client.close()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        path = urlparse(self.path).path
        try:
            result = self._result(f"{self.command} {path}", body)
        except ValueError as error:
            self._send(404, {"status": {"error": str(error)}, "time": 0.0})
            return
        self._send(200, {"result": result, "status": "ok", "time": 0.0})

    def _result(self, asked: str, body: Body) -> Any:
        for pattern, call in CALLS.items():
            if found := re.fullmatch(pattern, asked):
                arguments = [unquote(group) for group in found.groups()]
                if call is _upsert:
                    self.server.fake.upserts += 1
                    self.server.fake.before_upsert(self.server.fake.upserts)
                with self.server.fake.turn, warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return _plain(call(self.server.fake, body, *arguments))
        raise ValueError(f"this server does not know {asked}")

    def _send(self, status: int, answer: Mapping[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _plain(result: Any) -> Any:
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json")
    return [_plain(one) for one in result] if isinstance(result, list) else result


def _exists(fake: FakeQdrant, body: Body, name: str) -> Any:
    return {"exists": fake.client.collection_exists(name)}


def _info(fake: FakeQdrant, body: Body, name: str) -> Any:
    return fake.client.get_collection(name)


def _create(fake: FakeQdrant, body: Body, name: str) -> Any:
    fake.created[name] = body
    asked = models.CreateCollection.model_validate(body)
    return fake.client.create_collection(name, vectors_config=asked.vectors, sparse_vectors_config=asked.sparse_vectors)


def _delete(fake: FakeQdrant, body: Body, name: str) -> Any:
    return fake.client.delete_collection(name)


def _index(fake: FakeQdrant, body: Body, name: str) -> Any:
    return fake.client.create_payload_index(name, body["field_name"], body["field_schema"])


def _upsert(fake: FakeQdrant, body: Body, name: str) -> Any:
    asked = models.PointsList.model_validate(body)
    fake.vectors.update({point["id"]: point["vector"] for point in body["points"]})
    return fake.client.upsert(name, asked.points, update_filter=asked.update_filter)


def _batch(fake: FakeQdrant, body: Body, name: str) -> Any:
    return fake.client.batch_update_points(name, models.UpdateOperations.model_validate(body).operations)


def _remove(fake: FakeQdrant, body: Body, name: str) -> Any:
    selector: Any = TypeAdapter(models.PointsSelector).validate_python(body)
    return fake.client.delete(name, selector)


def _retrieve(fake: FakeQdrant, body: Body, name: str) -> Any:
    return fake.client.retrieve(name, body["ids"], with_payload=body.get("with_payload", True))


def _query(fake: FakeQdrant, body: Body, name: str) -> Any:
    asked = models.QueryRequestBatch.model_validate(body).searches
    if not all(request.limit for request in asked):
        raise ValueError("this server refuses a limit of 0")
    fake.queries.extend(body["searches"])
    return fake.client.query_batch_points(name, asked)


def _scroll(fake: FakeQdrant, body: Body, name: str) -> Any:
    asked = models.ScrollRequest.model_validate(body)
    records, following = fake.client.scroll(
        name, scroll_filter=asked.filter, limit=asked.limit or 10, offset=asked.offset, with_payload=True
    )
    return {"points": _plain(records), "next_page_offset": following}


def _count(fake: FakeQdrant, body: Body, name: str) -> Any:
    asked = models.CountRequest.model_validate(body)
    return fake.client.count(name, count_filter=asked.filter, exact=True)


def _aliases(fake: FakeQdrant, body: Body) -> Any:
    return fake.client.get_aliases()


def _change_aliases(fake: FakeQdrant, body: Body) -> Any:
    return fake.client.update_collection_aliases(models.ChangeAliasesOperation.model_validate(body).actions)


CALLS: Mapping[str, Callable[..., Any]] = {
    r"GET /collections/([^/]+)/exists": _exists,
    r"POST /collections/aliases": _change_aliases,
    r"GET /aliases": _aliases,
    r"GET /collections/([^/]+)": _info,
    r"PUT /collections/([^/]+)": _create,
    r"DELETE /collections/([^/]+)": _delete,
    r"PUT /collections/([^/]+)/index": _index,
    r"PUT /collections/([^/]+)/points": _upsert,
    r"POST /collections/([^/]+)/points/batch": _batch,
    r"POST /collections/([^/]+)/points/delete": _remove,
    r"POST /collections/([^/]+)/points": _retrieve,
    r"POST /collections/([^/]+)/points/query/batch": _query,
    r"POST /collections/([^/]+)/points/scroll": _scroll,
    r"POST /collections/([^/]+)/points/count": _count,
}
