"""A stand-in for the prompts of a Langfuse server on the loopback: versions and labels as that has them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from loopback import Server, served

PATH = "/api/public/v2/prompts"


@dataclass
class FakePrompts:
    """The versions of each prompt, the first is 1; `status` other than 200 refuses all, `hang_s` keeps them waiting."""

    url: str = ""
    status: int = 200
    hang_s: float = 0.0
    versions: dict[str, list[list[dict[str, str]]]] = field(default_factory=dict)
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    asked: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def add(self, name: str, *messages: tuple[str, str], label: str = "") -> int:
        """A new version; returns its number."""
        self.versions.setdefault(name, []).append([{"role": role, "content": text} for role, text in messages])
        version = len(self.versions[name])
        self.labels.setdefault(name, {})["latest"] = version
        if label:
            self.labels[name][label] = version
        return version

    def told(self, name: str, version: int) -> dict[str, Any]:
        """A version as the server tells it."""
        return {
            "name": name,
            "version": version,
            "type": "chat",
            "prompt": self.versions[name][version - 1],
            "config": {},
            "labels": [label for label, at in self.labels[name].items() if at == version],
            "tags": [],
        }


@contextmanager
def running() -> Iterator[FakePrompts]:
    """A server that listens until the end of the block."""
    fake = FakePrompts()
    with served(_Handler, fake) as address:
        fake.url = address
        yield fake


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        fake: FakePrompts = self.server.fake
        fake.asked += 1
        fake.released.wait(fake.hang_s)
        url = urlsplit(self.path)
        name = unquote(url.path.removeprefix(PATH).strip("/"))
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if fake.status != 200:
            self._reply(fake.status, {"message": "not today"})
        elif not name:
            self._reply(200, {"data": [self._meta(one) for one in fake.versions], "meta": _META})
        else:
            version = int(query["version"]) if "version" in query else fake.labels.get(name, {}).get(query["label"], 0)
            found = 0 < version <= len(fake.versions.get(name, []))
            self._reply(*((200, fake.told(name, version)) if found else (404, {"message": "Prompt not found"})))

    def do_POST(self) -> None:
        fake, body = self.server.fake, self._body()
        if self.path != PATH:
            self._reply(404, {"message": "only prompts are kept here"})
            return
        messages = [(one["role"], one["content"]) for one in body["prompt"]]
        version = fake.add(body["name"], *messages)
        fake.labels[body["name"]].update(dict.fromkeys(body.get("labels", []), version))
        self._reply(201, fake.told(body["name"], version))

    def do_PATCH(self) -> None:
        fake = self.server.fake
        name, _, version = unquote(self.path.removeprefix(f"{PATH}/")).partition("/versions/")
        fake.labels[name].update(dict.fromkeys(self._body()["newLabels"], int(version)))
        self._reply(200, fake.told(name, int(version)))

    def _meta(self, name: str) -> dict[str, Any]:
        fake = self.server.fake
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "name": name,
            "type": "chat",
            "versions": list(range(1, len(fake.versions[name]) + 1)),
            "labels": list(fake.labels[name]),
            "tags": [],
            "lastUpdatedAt": now,
            "lastConfig": {},
        }

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["content-length"])))

    def _reply(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


_META = {"page": 1, "limit": 100, "totalItems": 1, "totalPages": 1}
