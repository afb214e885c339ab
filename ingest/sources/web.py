"""A web page, or the pages of a sitemap."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import httpx

from ingest.parse import SUPPORTED
from ingest.sources.content import temporary, too_large
from ingest.sources.fetch import Fetcher, Page
from ingest.sources.media import ending, in_utf8, path_ending, stem
from ingest.sources.protocol import Fetch, Item, Vanished
from ingest.sources.sitemap import Sitemap, read_sitemap
from ingest.sources.url import origin, shown, site, web_url, with_user_of, without_user
from rag.errors import InputError
from rag.sections import Web

# An address that must hold a sitemap: a page of excuses there would otherwise empty the index.
SITEMAP_PATH = re.compile(r"\.xml(\.gz)?$|/sitemap[\w-]*$", re.IGNORECASE)

Sites = set[tuple[str, int | None]]


class Pages:
    """The page at an address or, where a sitemap lies there, the pages of its own site that it lists."""

    def __init__(self, place: str, *, options: Web, fetcher: Fetcher) -> None:
        """`place` may hold a name and password; they go to this site alone, and nothing shows them."""
        self._url = web_url(place)
        self.name = shown(self._url)
        self._options = options
        self._fetcher = fetcher
        self._has_listed = False
        self._ignored: Counter[str] = Counter()

    def items(self) -> Iterator[Item]:
        """The page, or the sitemap's pages, each of which is fetched when it is wanted."""
        self._has_listed, self._ignored = False, Counter()
        page, sitemap = self._looked_up()
        if sitemap is None:
            yield self._item(self._url, partial(_held, page))
            return
        pages = self._pages(page.url, sitemap)
        self._has_listed = True
        for url in pages:
            yield self._item(url, partial(self._download, url))

    def places(self) -> tuple[str, ...]:
        """The place once its sitemap was read; a page is responsible for itself alone."""
        return (self.name,) if self._has_listed else ()

    def covers(self, uri: str) -> bool:
        """Whether this is the address itself."""
        return uri == self.name

    def ignored(self) -> Mapping[str, int]:
        """The addresses in the sitemap that were refused."""
        return self._ignored

    def _looked_up(self) -> tuple[Page, Sitemap | None]:
        """What lies at the place: a page, or a page that is a sitemap."""
        if SITEMAP_PATH.search(self._url.path):
            return self._listed(self._url)
        page = self._fetcher.get(self._url, max_bytes=self._max_bytes)
        return page, read_sitemap(page.data, name=self.name, max_bytes=self._max_bytes)

    def _listed(self, url: httpx.URL) -> tuple[Page, Sitemap]:
        """The sitemap at an address. One that is gone says nothing about its pages."""
        try:
            page = self._fetcher.get(url, max_bytes=self._max_bytes)
        except Vanished as error:
            raise _unlisted(error.seen) from None
        sitemap = read_sitemap(page.data, name=shown(url), max_bytes=self._max_bytes)
        if sitemap is None:
            raise _unlisted(f"{shown(url)} holds no sitemap")
        return page, sitemap

    def _pages(self, found_at: httpx.URL, top: Sitemap) -> list[httpx.URL]:
        """The pages of a sitemap and of all that it leads to, each once."""
        sites = {site(self._url), site(found_at)}
        found: dict[str, httpx.URL] = {}
        for sitemap in self._sitemaps(top, sites):
            for url in self._own(sitemap, sites):
                found[shown(url)] = url
                self._refuse_beyond("max_pages", len(found), self._options.max_pages)
        if not found:
            raise _unlisted(f"the sitemap {self.name} lists no page of its site")
        return list(found.values())

    def _sitemaps(self, top: Sitemap, sites: Sites) -> Iterator[Sitemap]:
        """The sitemaps that list pages, level by level; one that was read is not read again."""
        seen, level = {self.name}, iter([top])
        for depth in count():
            below: dict[str, httpx.URL] = {}
            for sitemap in level:
                if sitemap.is_index:
                    below |= self._new(sitemap, sites, seen)
                else:
                    yield sitemap
            if not below:
                return
            self._refuse_beyond("sitemap_depth", depth + 1, self._options.sitemap_depth)
            level = (self._listed(url)[1] for url in below.values())

    def _new(self, index: Sitemap, sites: Sites, seen: set[str]) -> dict[str, httpx.URL]:
        """The sitemaps of an index that were not seen before; they are now."""
        new: dict[str, httpx.URL] = {}
        for url in self._own(index, sites):
            if shown(url) not in seen:
                new[shown(url)] = url
                seen.add(shown(url))
                self._refuse_beyond("max_sitemaps", len(seen), self._options.max_sitemaps)
        return new

    def _own(self, sitemap: Sitemap, sites: Sites) -> Iterator[httpx.URL]:
        """The addresses that belong to the sitemap's own site; others are counted."""
        for location in sitemap.locations:
            try:
                url = web_url(location)
            except InputError:
                self._ignored["no web address"] += 1
                continue
            if site(url) in sites:
                yield with_user_of(url, self._url) if origin(url) == origin(self._url) else without_user(url)
            else:
                self._ignored["other site"] += 1

    def _refuse_beyond(self, name: str, number: int, limit: int) -> None:
        if number > limit:
            raise InputError(
                f"the sitemap {self.name} is too large",
                expected=f"one within ingest.web.{name} = {limit:,}",
                remedy="name a smaller sitemap, or raise the limit",
            )

    def _item(self, url: httpx.URL, fetch: Fetch) -> Item:
        suffix = path_ending(url)
        suffix = suffix if suffix in SUPPORTED else ".html"
        return Item(uri=shown(url), source=self.name, suffix=suffix, fetch=fetch)

    @contextmanager
    def _download(self, url: httpx.URL, max_bytes: int) -> Iterator[Path]:
        page = self._fetcher.get(url, max_bytes=min(max_bytes, self._max_bytes))
        with _held(page, max_bytes) as path:
            yield path

    @property
    def _max_bytes(self) -> int:
        return self._options.max_mb * 1_000_000


def _held(page: Page, max_bytes: int) -> AbstractContextManager[Path]:
    if len(page.data) > max_bytes:
        raise too_large(shown(page.url), max_bytes)
    return temporary(stem(page.url), ending(page.kind, page.url), [in_utf8(page.data, page.kind)])


def _unlisted(seen: str) -> InputError:
    return InputError(seen, expected="a sitemap with pages", remedy="check the address")
