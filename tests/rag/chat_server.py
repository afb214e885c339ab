"""A stand-in for an OpenAI-compatible server on the loopback: it answers rightly, and misbehaves as real ones do."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from loopback import Server, served

KEY = "sk-test-0123456789-secret"
WORDS = ("Thirty ", "days ", "[1].")
PAGE = b"<html><body>Welcome to the router</body></html>"


@dataclass
class FakeChat:
    """What arrived, and how to answer next: a status code, or the name of a behaviour."""

    url: str = ""
    behaviour: str | int = "ok"
    refuses: tuple[str, ...] = ()
    retry_after: str = ""
    vectors: object = None
    likely: Mapping[str, float] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    left_alone: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running() -> Iterator[FakeChat]:
    """A server that listens until the end of the block."""
    fake = FakeChat()
    with served(_Handler, fake) as address:
        fake.url = f"{address}/v1"
        yield fake


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        fake = self.server.fake
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        fake.requests.append(request)
        fake.headers.append({name.lower(): value for name, value in self.headers.items()})
        refused = next((name for name in fake.refuses if name in request), None)
        if fake.behaviour == "drop":
            self.close_connection = True
        elif isinstance(fake.behaviour, int):
            self._error(fake.behaviour, {"code": "model_not_found"})
        elif fake.behaviour == "echo":
            self._error(401, {"code": KEY, "type": f"bad key {KEY}"})
        elif refused:
            self._error(400, {"param": refused, "code": "unsupported_parameter", "message": f"no '{refused}'"})
        elif fake.behaviour == "page":
            self._send(200, PAGE, "text/html")
        elif self.path.endswith("/embeddings"):
            self._embed(request)
        else:
            self._chat(fake.behaviour)

    def _error(self, status: int, error: Mapping[str, Any]) -> None:
        told = {"message": f"Incorrect API key provided: {self.headers['authorization']}", **error}
        self._send(status, json.dumps({"error": told}).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if self.server.fake.retry_after:
            self.send_header("retry-after", self.server.fake.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def _embed(self, request: Mapping[str, Any]) -> None:
        if self.server.fake.vectors is not None:
            reply = self.server.fake.vectors
        else:
            # The order of the reply is free: `index` tells which text a vector belongs to.
            rows = [{"index": i, "embedding": [float(len(text)), 3.0]} for i, text in enumerate(request["input"])]
            reply = {"data": rows[::-1], "model": "m"}
        self._send(200, json.dumps(reply).encode(), "application/json")

    def _chat(self, behaviour: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        if behaviour == "cut":
            self.send_header("content-length", "100000")
        self.end_headers()
        if behaviour in ("hang", "late"):
            self._wait()
        try:
            self._chatter(behaviour)
            for word in WORDS:
                self._event(_delta(word, self.server.fake.likely))
            self._end(behaviour)
        except (BrokenPipeError, ConnectionResetError):
            self.server.fake.left_alone.set()

    def _chatter(self, behaviour: str) -> None:
        """Send nothing of a meaning, again and again for 10 s."""
        until = time.monotonic() + 10
        while behaviour in ("pings", "empties") and time.monotonic() < until:
            if behaviour == "pings":
                self.wfile.write(b": still here\n\n")
            else:
                self._event(_delta(""))
            self.server.fake.released.wait(0.01)

    def _end(self, behaviour: str) -> None:
        match behaviour:
            case "words, then pings":
                self._chatter("pings")
            case "ok":
                self._finish()
            case "stall":
                self._wait()
            case "endless" | "late":
                self._endless()
            case "error":
                self._event({"error": {"message": f"overloaded, your key is {KEY}", "code": "overloaded"}})
            case "nonsense":
                self.wfile.write(b"data: {not json\n\n")
            case "odd":
                self._event(_delta(["a", "list"]))

    def _wait(self) -> None:
        self.server.fake.released.wait(30)

    def _endless(self) -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            self._event(_delta("and so on " * 100))

    def _finish(self) -> None:
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        usage = {"prompt_tokens": 11, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
        self._event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, event: Mapping[str, Any]) -> None:
        frame = {"id": "1", "object": "chat.completion.chunk", "model": "resolved-model-2026", **event}
        self.wfile.write(b"data: " + json.dumps({**frame, "system_fingerprint": "fp_44"}).encode() + b"\n\n")
        self.wfile.flush()


def _delta(content: object, likely: Mapping[str, float] | None = None) -> dict[str, Any]:
    top = [{"token": token, "logprob": math.log(chance)} for token, chance in (likely or {}).items()]
    told = {"logprobs": {"content": [{"token": content, "logprob": 0.0, "top_logprobs": top}]}} if top else {}
    return {"choices": [{"index": 0, "delta": {"content": content}, **told}]}
