"""Web sites on the loopback: what lies at each path, and what was asked for."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from loopback import Server, served

HTML = "<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a path answers; `drip` sends the body a byte at a time, without end."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drip: bool = False


@dataclass
class Site:
    """A site: answers by path, which may be changed at any time, and the requests that came."""

    url: str = ""
    answers: dict[str, Answer | Callable[[], Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def page(self, path: str, title: str, text: str = "Some words.") -> None:
        """Put an HTML page at a path."""
        body = HTML.format(title=title, text=text).encode()
        self.answers[path] = Answer(body=body, headers={"content-type": "text/html"})

    def redirect(self, path: str, target: str) -> None:
        """Let a path redirect."""
        self.answers[path] = Answer(status=302, headers={"location": target})

    def sitemap(self, path: str, *places: str, index: bool = False) -> None:
        """Put a sitemap at a path, with places of this site or whole addresses."""
        root, entry = ("sitemapindex", "sitemap") if index else ("urlset", "url")
        locations = (place if "://" in place or place.startswith("..") else self.url + place for place in places)
        entries = "".join(f"<{entry}><loc>{place}</loc></{entry}>" for place in locations)
        xml = f'<?xml version="1.0"?><{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</{root}>'
        self.answers[path] = Answer(body=xml.encode(), headers={"content-type": "application/xml"})


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A site that listens until the end of the block."""
    fake = Site()
    with served(_Handler, fake, tls=tls) as address:
        fake.url = address
        yield fake


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        site = self.server.fake
        site.asked.append(self.path)
        site.headers.append({name.lower(): value for name, value in self.headers.items()})
        answer = site.answers.get(self.path, Answer(status=404))
        self._send(answer() if callable(answer) else answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not answer.drip:
            self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        until = time.monotonic() + 20
        while answer.drip and time.monotonic() < until and not self.server.fake.released.wait(0.05):
            self.wfile.write(b".")
            self.wfile.flush()
