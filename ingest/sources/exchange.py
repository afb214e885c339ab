"""One request and its reply, within all limits."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import httpcore
import httpx

from ingest.sources.connection import CheckedNetwork
from ingest.sources.content import too_large
from ingest.sources.inflate import inflated
from ingest.sources.url import shown
from rag.errors import DocumentError

SIZE_LIMIT = "the smaller of ingest.web.max_mb and ingest.max_file_mb"


class Passing(DocumentError):
    """A failure that a later try may not meet; `wait_s` is how long the server asks to wait, 0 for no word."""

    def __init__(self, seen: str, *, wait_s: float = 0.0) -> None:
        """As DocumentError, with the remedy known."""
        super().__init__(seen, expected="a page", remedy="try again later")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for, and what may come back. `user` is 'name:password' or empty."""

    url: httpx.URL
    agent: str
    user: str
    timeout_s: float
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back; `data` is empty unless the status is 200."""

    status: int
    headers: httpx.Headers
    data: bytes


def exchange(request: Request, *, network: CheckedNetwork, tls: ssl.SSLContext) -> Reply:
    """Send a request over a connection of its own; raises Passing when it fails, DocumentError when it is refused."""
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), request.timeout_s)
    options = {"timeout": timeouts}
    try:
        with (
            httpcore.ConnectionPool(ssl_context=tls, network_backend=network) as pool,
            pool.stream("GET", _target(request.url), headers=_headers(request), extensions=options) as response,
        ):
            headers = httpx.Headers(response.headers)
            data = _body(response.iter_stream(), headers, request) if response.status == 200 else b""
            return Reply(status=response.status, headers=headers, data=data)
    except httpcore.TimeoutException:
        limit = f"ingest.web.timeout_s = {request.timeout_s:g} for a part of it, or ingest.web.total_s in all"
        raise Passing(f"{shown(request.url)} took longer than {limit}") from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise Passing(f"{shown(request.url)} can't be reached: {type(error).__name__} {error}") from None


def _target(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _headers(request: Request) -> list[tuple[bytes, bytes]]:
    headers = {
        "Host": request.url.netloc.decode(),
        "User-Agent": request.agent,
        "Accept": "text/html, application/xhtml+xml, */*;q=0.5",
        # No other encoding: what is compressed twice, or by another method, can't be bounded by zlib.
        "Accept-Encoding": "gzip",
    }
    if request.user:
        headers["Authorization"] = f"Basic {base64.b64encode(request.user.encode()).decode()}"
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _body(pieces: Iterable[bytes], headers: httpx.Headers, request: Request) -> bytes:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise DocumentError(
            f"{shown(request.url)} came with the encoding '{encoding[:40]}'",
            expected="gzip or none",
            remedy="have the site send one of these",
        )
    sent = _bounded(pieces, request)
    return b"".join(_bounded(inflated(sent, name=shown(request.url)), request) if "gzip" in encoding else sent)


def _bounded(pieces: Iterable[bytes], request: Request) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > request.max_bytes:
            raise too_large(shown(request.url), request.max_bytes, limit=SIZE_LIMIT)
        yield piece
