"""What robots.txt asks for."""

from __future__ import annotations

from collections.abc import Callable
from urllib.robotparser import RobotFileParser

import httpx

from ingest.sources.exchange import Passing
from ingest.sources.url import origin, shown, without_user
from rag.errors import DocumentError

# RFC 9309 asks to read at least so much; the rest may be left.
ROBOTS_BYTES = 512_000
LONGEST_DELAY_S = 30.0

Get = Callable[[httpx.URL], bytes | None]


class Robots:
    """The rules of every site that was asked, each fetched once."""

    def __init__(self, agent: str, get: Get) -> None:
        """`get` gives the text at an address, None where there is none (RFC 9309: all is allowed), or raises."""
        self._agent = agent
        self._get = get
        self._rules: dict[tuple[str, str, int | None], RobotFileParser] = {}

    def check(self, url: httpx.URL) -> None:
        """Raise DocumentError when the site does not want this page fetched, Passing when that can't be known."""
        rules = self._of(url)
        if not rules.can_fetch(self._agent, str(without_user(url))):
            raise DocumentError(
                f"the robots.txt of {url.host} forbids {shown(url)}",
                expected="a page that it allows",
                remedy="leave the page out, or ask the site to allow it",
            )

    def delay_s(self, url: httpx.URL) -> float:
        """The seconds between two requests that the site asks for, within reason."""
        return min(float(self._of(url).crawl_delay(self._agent) or 0), LONGEST_DELAY_S)

    def _of(self, url: httpx.URL) -> RobotFileParser:
        key = origin(url)
        if key not in self._rules:
            self._rules[key] = self._read(url)
        return self._rules[key]

    def _read(self, url: httpx.URL) -> RobotFileParser:
        rules = RobotFileParser()
        try:
            data = self._get(without_user(url).copy_with(raw_path=b"/robots.txt"))
        except Passing as error:
            raise Passing(f"the robots.txt of {url.host} can't be read: {error.seen}", wait_s=error.wait_s) from None
        try:
            rules.parse((data or b"").decode("utf-8", errors="replace").splitlines())
        except ValueError as error:  # numbers of thousands of digits, paths that are no paths
            raise DocumentError(
                f"the robots.txt of {url.host} can't be understood: {error}", expected="rules", remedy="tell the site"
            ) from None
        return rules
