"""Web pages, fetched safely and politely: addresses checked, redirects followed, busy servers tried again."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import httpx

from ingest.sources.address import Resolve, resolve
from ingest.sources.connection import CheckedNetwork
from ingest.sources.exchange import Passing, Reply, Request, exchange
from ingest.sources.protocol import Vanished
from ingest.sources.robots import ROBOTS_BYTES, Robots
from ingest.sources.url import origin, shown, user_of, web_url, without_user
from rag.errors import DocumentError, InputError
from rag.retry_after import retry_after_s
from rag.sections import Web

REDIRECTS = (301, 302, 303, 307, 308)
GONE = (404, 410)
BUSY = (408, 425, 429)
FIRST_WAIT_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page as it came; `url` is where the redirects ended, `kind` its content type."""

    url: httpx.URL
    kind: str
    data: bytes


class Fetcher:
    """Gets pages. It remembers each site's robots.txt and when it was asked last."""

    def __init__(self, options: Web, *, resolve: Resolve = resolve, sleep: Callable[[float], None] = time.sleep):
        """`resolve` gives the addresses of a host."""
        self._options = options
        self._resolve = resolve
        self._sleep = sleep
        self._robots = Robots(options.user_agent, self._robots_text)
        self._asked_at: dict[str, float] = {}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    def get(self, url: httpx.URL, *, max_bytes: int) -> Page:
        """The page at an address; raises Vanished for 404 and 410, DocumentError for everything else."""
        for attempt in range(self._options.retries):
            try:
                return self._visit(url, max_bytes)
            except Passing as error:
                self._sleep(self._wait_s(error, attempt))
        return self._visit(url, max_bytes)

    def _wait_s(self, error: Passing, attempt: int) -> float:
        if error.wait_s > self._options.retry_after_s:
            raise error
        return max(error.wait_s, FIRST_WAIT_S * float(2**attempt))

    def _visit(self, url: httpx.URL, max_bytes: int) -> Page:
        """One try: the page, through its redirects."""
        self._robots.check(url)
        self._pace(url)
        deadline = time.monotonic() + self._options.total_s
        here = url
        for _ in range(self._options.max_redirects + 1):
            reply = self._ask(here, url, max_bytes, deadline)
            if reply.status not in REDIRECTS:
                return _page(here, reply)
            here = _next(here, reply)
            self._robots.check(here)
        raise DocumentError(
            f"{shown(url)} redirects again and again",
            expected=f"at most ingest.web.max_redirects = {self._options.max_redirects}",
            remedy="name the page that it should lead to",
        )

    def _robots_text(self, url: httpx.URL) -> bytes | None:
        """The text of a robots.txt, None where there is none; raises Passing when the site can't tell."""
        deadline = time.monotonic() + self._options.total_s
        here = url
        for _ in range(self._options.max_redirects + 1):
            reply = self._ask(here, url, ROBOTS_BYTES, deadline)
            if reply.status not in REDIRECTS:
                return reply.data if _is_told(here, reply) else None
            here = _next(here, reply)
        return None

    def _ask(self, here: httpx.URL, start: httpx.URL, max_bytes: int, deadline: float) -> Reply:
        request = Request(
            url=without_user(here),
            agent=self._options.user_agent,
            user=user_of(start) if origin(here) == origin(start) else "",
            timeout_s=self._options.timeout_s,
            max_bytes=max_bytes,
        )
        network = CheckedNetwork(resolve=self._resolve, allow_private=self._options.allow_private, deadline=deadline)
        return exchange(request, network=network, tls=self._tls)

    def _pace(self, url: httpx.URL) -> None:
        """Wait until the site may be asked again."""
        pause = max(self._options.delay_s, self._robots.delay_s(url))
        left = self._asked_at.get(url.host, -pause) + pause - time.monotonic()
        if left > 0:
            self._sleep(left)
        self._asked_at[url.host] = time.monotonic()


def _page(url: httpx.URL, reply: Reply) -> Page:
    if reply.status == 200:
        return Page(url=url, kind=reply.headers.get("content-type", ""), data=reply.data)
    seen = f"{shown(url)} answered {reply.status}"
    if reply.status in GONE:
        raise Vanished(seen, expected="a page", remedy="check the address")
    if reply.status >= 500 or reply.status in BUSY:
        raise Passing(seen, wait_s=retry_after_s(reply.headers.get("retry-after", "")))
    raise DocumentError(seen, expected="a page", remedy="check the address and whether it needs a login")


def _is_told(url: httpx.URL, reply: Reply) -> bool:
    """Whether there is a robots.txt: RFC 9309 takes 4xx for none, and 5xx for a site to be left alone for now."""
    if reply.status >= 500 or reply.status in BUSY:
        raise Passing(
            f"{shown(url)} answered {reply.status}", wait_s=retry_after_s(reply.headers.get("retry-after", ""))
        )
    return reply.status == 200


def _next(here: httpx.URL, reply: Reply) -> httpx.URL:
    """Where a redirect leads; a name and password in it are not used."""
    try:
        target = web_url(str(here.join(reply.headers.get("location", "")[:10_000])))
    except (InputError, httpx.InvalidURL, ValueError):
        raise DocumentError(
            f"{shown(here)} redirects to what is no web address", expected="http:// or https://", remedy="tell the site"
        ) from None
    if here.scheme == "https" and target.scheme == "http":
        raise DocumentError(
            f"{shown(here)} redirects from https to http",
            expected="https",
            remedy="name the http address if it is meant",
        )
    return without_user(target)
