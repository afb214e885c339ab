"""A stand-in for the datasets, scores and traces of a Langfuse server on the loopback."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from loopback import Server, served
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PUBLIC_KEY, SECRET_KEY = "pk-lf-test", "sk-lf-very-secret"
DATASETS, ITEMS = "/api/public/v2/datasets", "/api/public/dataset-items"
NOW = "2026-11-26T12:00:00.000Z"


@dataclass
class FakeDatasets:
    """What the server keeps: items by id in the order they came, scores by id, attributes of spans by their id.

    `status` other than 200 refuses all that comes after `refuse_after` requests, `hang_s` keeps each waiting.
    """

    url: str = ""
    status: int = 200
    refuse_after: int = 0
    hang_s: float = 0.0
    datasets: list[str] = field(default_factory=list)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    spans: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    writes: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def add(self, dataset: str, item: str, **parts: Any) -> None:
        """An item that somebody made there."""
        empty = {"input": None, "expectedOutput": None, "metadata": None, "status": "ACTIVE"}
        self.items[item] = {**empty, **parts, "id": item, "datasetName": dataset}

    def told(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """An item as the server tells it."""
        held = f"id-of-{item['datasetName']}"
        return {**item, "datasetId": held, "createdAt": NOW, "updatedAt": NOW, "mediaReferences": []}


@contextmanager
def running() -> Iterator[FakeDatasets]:
    """A server that listens until the end of the block."""
    fake = FakeDatasets()
    with served(_Handler, fake) as address:
        fake.url = address
        yield fake


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"] or 0)))

    def _answer(self, body: bytes) -> None:
        fake: FakeDatasets = self.server.fake
        url = urlsplit(self.path)
        fake.requests.append(f"{self.command} {url.path}")
        fake.released.wait(fake.hang_s)
        given = b64decode(self.headers["authorization"].removeprefix("Basic ")).decode()
        if fake.status != 200 and len(fake.requests) > fake.refuse_after:
            self._reply(fake.status, {"message": f"not today, {given}"})
        elif self.command == "GET":
            self._read(url.path, {key: values[0] for key, values in parse_qs(url.query).items()})
        else:
            self._write(url.path, body)

    def _read(self, path: str, query: Mapping[str, str]) -> None:
        fake: FakeDatasets = self.server.fake
        if path == ITEMS:
            self._reply(
                200, _page([i for i in fake.items.values() if i["datasetName"] == query["datasetName"]], query, fake)
            )
            return
        name = unquote(path.removeprefix(f"{DATASETS}/"))
        self._reply(*((200, _dataset(name)) if name in fake.datasets else (404, {"message": "Dataset not found"})))

    def _write(self, path: str, body: bytes) -> None:
        fake: FakeDatasets = self.server.fake
        fake.writes += 1
        if path == "/api/public/otel/v1/traces":
            fake.spans.update(_spans(body))
            self._reply(200, {})
            return
        told = json.loads(body)
        if path == DATASETS:
            fake.datasets.append(told["name"])
            self._reply(200, _dataset(told["name"]))
        elif path == ITEMS and told["datasetName"] in fake.datasets:
            fake.add(told.pop("datasetName"), told.pop("id"), **told)
            self._reply(200, fake.told(list(fake.items.values())[-1]))
        elif path == "/api/public/scores":
            fake.scores.update({score["id"]: score for score in told})
            self._reply(202, {"message": "Accepted"})
        else:
            self._reply(404, {"message": "not found"})

    def _reply(self, status: int, content: Mapping[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _dataset(name: str) -> dict[str, Any]:
    times = {"createdAt": NOW, "updatedAt": NOW}
    return {"id": f"id-of-{name}", "name": name, "projectId": "project-1", "metadata": None, **times}


def _page(items: list[dict[str, Any]], query: Mapping[str, str], fake: FakeDatasets) -> dict[str, Any]:
    page, limit = int(query["page"]), int(query["limit"])
    pages = -(-len(items) // limit)
    meta = {"page": page, "limit": limit, "totalItems": len(items), "totalPages": pages}
    return {"data": [fake.told(item) for item in items[(page - 1) * limit : page * limit]], "meta": meta}


def _spans(body: bytes) -> dict[str, Mapping[str, Any]]:
    return {
        span.span_id.hex(): {
            "name": span.name,
            "trace_id": span.trace_id.hex(),
            **{pair.key: pair.value.string_value for pair in span.attributes},
        }
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
