"""A stand-in on the loopback for a Langfuse server, and for any that takes OTLP: keeps what arrives, fails as they do.

Langfuse's endpoints want its keys, `/v1/traces` wants a token in a header.
"""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from loopback import Server, served
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PUBLIC_KEY, SECRET_KEY = "pk-lf-test", "sk-lf-very-secret"
OTLP_PATH, OTLP_TOKEN = "/v1/traces", "very-secret-token"
Behaviour = Literal[
    "ok", "hang", "slow", "drip", "cut", "half", "page", "partial", "partial-protobuf", "redirect", "huge"
]


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A span as it arrived, its attributes decoded."""

    trace_id: str
    id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    error: str


@dataclass
class FakeLangfuse:
    """What arrived so far, and how to answer next: a status (with `retry_after`), or a way to misbehave.

    `refuse_trace` is too large for it, and at those in `fails_at` it fails, with 500 or as `fails_by` says, at their
    scores too.

    `scores` are all that came, `kept_scores` those that a server would show, by id; `deleted` the ids to be forgotten,
    `annotations` what people made there, given in pages of one; `arrivals` are ('trace' or 'score', id of the trace) as
    they were taken. Spans are kept without their attributes where only these matter (`is_terse`).
    """

    url: str = ""
    behaviour: Behaviour | int = "ok"
    retry_after: str = ""
    refuse_trace: str = ""
    fails_at: set[str] = field(default_factory=set)
    fails_by: Literal["cut", "half", "hang"] | None = None
    spans: list[Observed] = field(default_factory=list)
    arrivals: list[tuple[str, str]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    kept_scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    is_terse: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    def traces(self) -> list[str]:
        """The ids of the traces that arrived, in order, with repetitions."""
        return [span.trace_id for span in self.spans if not span.parent_id]

    def span(self, name: str) -> Observed:
        """The one span called `name`."""
        (found,) = [span for span in self.spans if span.name == name]
        return found


@contextmanager
def running() -> Iterator[FakeLangfuse]:
    """A server that listens until the end of the block."""
    fake = FakeLangfuse()
    with served(_Handler, fake) as address:
        fake.url = address
        yield fake


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of a reply are written one after the other; the system would hold the second back for 40 ms.
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        fake, query = self.server.fake, parse_qs(urlsplit(self.path).query)
        fake.requests.append((self.path, dict(self.headers.items())))
        at = int(query.get("cursor", ["0"])[0])
        more = {"cursor": str(at + 1)} if at + 1 < len(fake.annotations) else {}
        self._reply(200, {"data": fake.annotations[at : at + 1], "meta": {"limit": 1, **more}})

    def do_DELETE(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        self.server.fake.requests.append((self.path, dict(self.headers.items())))
        try:
            self._answer(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer(self, body: bytes) -> None:
        behaviour = self.server.fake.behaviour
        if not self._is_known():
            self._reply(401, {"message": f"Invalid credentials {SECRET_KEY}"})
        elif isinstance(behaviour, int):
            self._reply(behaviour, {"message": f"status {behaviour} for {PUBLIC_KEY}:{SECRET_KEY} or {OTLP_TOKEN}"})
        elif behaviour in ("ok", "slow", "hang", "partial", "partial-protobuf"):
            self._wait({"slow": 0.3, "hang": 30.0}.get(behaviour, 0.0))
            self._take(body)
        else:
            self._misbehave(behaviour)

    def _is_known(self) -> bool:
        given = self.headers.get("authorization", "")
        if self.path == OTLP_PATH:
            return bool(given == f"Bearer {OTLP_TOKEN}")
        return b64decode(given.removeprefix("Basic ")) == f"{PUBLIC_KEY}:{SECRET_KEY}".encode()

    def _misbehave(self, behaviour: str) -> None:
        match behaviour:
            case "cut":
                self.close_connection = True
            case "half":
                self._half()
            case "drip":
                self._drip()
            case "huge":
                self._reply(200, {"padding": "x" * 3_000_000})
            case "page":
                self._send(200, b"<html>Welcome to this hotel</html>", "text/html")
            case "redirect":
                self._send(302, b"", "text/plain", location="/elsewhere")

    def _take(self, body: bytes) -> None:
        if self.command == "DELETE":
            self._forget(self.path.removeprefix("/api/public/scores/"))
        elif self.path == "/api/public/scores":
            self._take_scores(json.loads(body))
        elif self.path in ("/api/public/otel/v1/traces", OTLP_PATH):
            self._take_spans(list(_observed(body, is_terse=self.server.fake.is_terse)))
        else:
            self._reply(404, {"message": "not found"})

    def _take_spans(self, spans: list[Observed]) -> None:
        fake = self.server.fake
        if fake.behaviour == "partial":
            self._reply(200, {"partialSuccess": {"rejectedSpans": 1, "errorMessage": "no such project"}})
        elif fake.behaviour == "partial-protobuf":
            partial = ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
            reply = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
            self._send(200, reply, "application/x-protobuf")
        elif any(span.trace_id in fake.fails_at for span in spans):
            self._fail()
        elif any(span.trace_id == fake.refuse_trace for span in spans):
            self._reply(413, {"message": "too large"})
        else:
            fake.spans.extend(spans)
            fake.arrivals.extend(("trace", trace_id) for trace_id in {span.trace_id for span in spans})
            self._reply(200, {})

    def _take_scores(self, scores: list[dict[str, Any]]) -> None:
        if self.server.fake.behaviour == "partial":
            self._reply(207, {"accepted": 0, "rejected": 1, "errors": [{"message": "no such score"}]})
        elif any(score["traceId"] in self.server.fake.fails_at for score in scores):
            self._fail()
        else:
            self.server.fake.scores.extend(scores)
            self.server.fake.kept_scores.update({score["id"]: score for score in scores})
            self.server.fake.arrivals.extend(("score", score["traceId"]) for score in scores)
            self._reply(202, {"message": "Accepted"})

    def _fail(self) -> None:
        match self.server.fake.fails_by:
            case None:
                self._reply(500, {"message": "no idea what this is"})
            case "hang":
                self._wait(30.0)
            case behaviour:
                self._misbehave(behaviour)

    def _forget(self, score_id: str) -> None:
        fake = self.server.fake
        fake.deleted.append(score_id)
        if fake.kept_scores.pop(score_id, None) is None:
            self._reply(404, {"message": "no such score"})
        else:
            self._send(202, b"", "application/json")

    def _reply(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, json.dumps(content).encode(), "application/json; charset=utf-8")

    def _send(self, status: int, body: bytes, kind: str, *, location: str = "") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if location:
            self.send_header("location", location)
        if status >= 400 and self.server.fake.retry_after:
            self.send_header("retry-after", self.server.fake.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def _wait(self, seconds: float) -> None:
        if seconds:
            self.server.fake.released.wait(seconds)

    def _half(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "100")
        self.end_headers()
        self.wfile.write(b'{"partialSuccess"')
        self.close_connection = True

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "1000")
        self.end_headers()
        while not self.server.fake.released.wait(0.1):
            self.wfile.write(b" ")


def _observed(body: bytes, *, is_terse: bool = False) -> Iterator[Observed]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Observed(
                    trace_id=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    name=span.name,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes={} if is_terse else {pair.key: _value(pair.value) for pair in span.attributes},
                    error=span.status.message,
                )


def _value(value: Any) -> Any:
    chosen = value.WhichOneof("value")
    if chosen == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, chosen)
