"""A connection to a server that takes traces: its bounds, and what its failures mean."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Self, cast

import httpx

from rag.errors import DeliveryError
from rag.retry_after import retry_after_s
from rag.settings import redact_url

# A page of a hundred scores with long comments is the longest that is asked for.
MAX_REPLY_BYTES = 2_000_000
MAX_DETAIL_CHARS = 200
# A shorter word of a header, such as 'Basic', is no secret.
SHORTEST_KEY = 8
# Statuses that say nothing about the item: wrong keys, address or path, a proxy between, or a server that is busy. They
# hold for all items.
NOT_THE_ITEM = frozenset((401, 402, 403, 404, 405, 406, 407, 408, 411, 415, 421, 425, 426, 429, 431))
# Servers that ask to be left alone, and say how long.
BUSY = frozenset((429, 503))
# Wrong keys, not paid for, not allowed, too much.
TURNED_AWAY = frozenset((401, 402, 403, 429))
# The server had the item, or a part of it, when it failed.
FAILED_AT_IT = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadTimeout, httpx.WriteTimeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who is at the other end. `address` has no slash at its end; `setting` is the one that holds it.

    `auth` is a name and its password; `headers` go with every request. None of their values is ever shown. `remedies`
    tell what to do about a status.
    """

    name: str
    address: str
    setting: str
    timeout_s: float
    auth: tuple[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    remedies: Mapping[int, str] = field(default_factory=dict)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, longest first: one may be a part of another, as the key in 'Bearer KEY'."""
        words = [word for value in self.headers.values() for word in value.split() if len(word) >= SHORTEST_KEY]
        found = {*(self.auth or ()), *self.headers.values(), *words}
        return tuple(sorted(filter(None, found), key=len, reverse=True))


class Connection:
    """A connection to that peer; use it as a context manager. Its failures are DeliveryErrors."""

    def __init__(self, peer: Peer) -> None:
        """Prepare, without connecting."""
        self.peer = peer
        try:
            self.http = httpx.Client(
                auth=peer.auth,
                verify=_certificates(),
                timeout=peer.timeout_s,
                # Not packed, so that the bound on a reply is on what it unpacks to.
                headers={"accept-encoding": "identity", **peer.headers},
                # The keys never go to another host than the configured one.
                follow_redirects=False,
                event_hooks={"response": [_bound]},
            )
        except (httpx.InvalidURL, ValueError, OSError) as error:
            raise DeliveryError(f"can't talk to {peer.name}: {error}", remedy="check the proxy variables") from error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.http.close()

    def timeout(self, timeout_s: float | None) -> float:
        """The longest wait: what is wanted, within what the settings allow."""
        return min(self.peer.timeout_s, timeout_s) if timeout_s is not None else self.peer.timeout_s

    def refused(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> DeliveryError:
        """What a status other than success means."""
        if 200 <= status < 400:
            return self.not_understood()
        asked = (headers or {}).get("retry-after", "") if status in BUSY else ""
        error = DeliveryError(
            f"{self.where()} answered {status or 'nothing usable'}{self.detail(_told(body))}",
            expected="it to be taken",
            remedy=self.peer.remedies.get(status, ""),
            permanent=400 <= status < 500 and status not in NOT_THE_ITEM,
            retry_after_s=retry_after_s(asked),
        )
        # Who asks to be left alone is down, whatever comes.
        error.of_item = status >= 500 and not asked
        error.of_us = status in TURNED_AWAY
        return error

    def unreachable(self, error: Exception) -> DeliveryError:
        """What a connection that failed means."""
        reason = self.detail(str(error) or type(error).__name__)
        wait = "" if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL) else ", or wait"
        told = DeliveryError(f"{self.where()} can't be reached{reason}", remedy=f"check {self.peer.setting}{wait}")
        told.of_item = isinstance(error, FAILED_AT_IT)
        return told

    def not_understood(self) -> DeliveryError:
        """What a reply means that this peer would not give."""
        return DeliveryError(
            f"{self.where()} answered with something else than {self.peer.name}'s replies",
            remedy=f"check {self.peer.setting}",
        )

    def where(self) -> str:
        """The server's address without a password in it."""
        return redact_url(self.peer.address)

    def detail(self, text: str) -> str:
        """The server's own words, short and without the keys, should it echo them."""
        for key in self.peer.secrets:
            text = text.replace(key, "***")
        shown = " ".join(redact_url(text).split())[:MAX_DETAIL_CHARS]
        return f": {shown}" if shown else ""


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust, read once: a destination that is down is tried again and again, and reading takes 50 ms."""
    return httpx.create_ssl_context()


class _Bounded(httpx.SyncByteStream):
    """A reply's body that ends in an error when it gets too long or takes too long."""

    def __init__(self, response: httpx.Response) -> None:
        self._stream = cast(httpx.SyncByteStream, response.stream)
        self._request = response.request
        self._until = time.monotonic() + float(self._request.extensions["timeout"]["read"] or 0)

    def __iter__(self) -> Iterator[bytes]:
        read = 0
        for part in self._stream:
            read += len(part)
            if read > MAX_REPLY_BYTES:
                raise httpx.ReadError("the reply is too long", request=self._request)
            if time.monotonic() > self._until:
                raise httpx.ReadTimeout("the reply takes too long", request=self._request)
            yield part

    def close(self) -> None:
        self._stream.close()


def _bound(response: httpx.Response) -> None:
    response.stream = _Bounded(response)


def _told(body: Any) -> str:
    """The words of an error reply: its message when it is JSON, nothing of a whole web page."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return ""
    if not isinstance(body, dict):
        return ""
    said = body.get("message") or body.get("error") or ""
    return said if isinstance(said, str) else json.dumps(said)
