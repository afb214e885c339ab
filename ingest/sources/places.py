"""What a place looks like -> its source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ingest.sources.protocol import Source
from rag.errors import InputError
from rag.settings import Settings

if TYPE_CHECKING:
    from ingest.sources.fetch import Fetcher

KIND = re.compile(r"(reader)(?=:)|([a-z][a-z0-9+.-]*)(?=://)", re.IGNORECASE)


def open_sources(places: Sequence[str], *, settings: Settings) -> list[Source]:
    """The sources for some places; web pages share what is known of their sites. Raises as `open_source`."""
    has_pages = any(_kind(place) in ("http", "https") for place in places)
    fetcher = _fetcher(settings) if has_pages else None
    return [open_source(place, settings=settings, fetcher=fetcher) for place in places]


def open_source(place: str, *, settings: Settings, fetcher: Fetcher | None = None) -> Source:
    """The source for a place, by what it looks like; nothing is read yet. Raises InputError and ConfigError."""
    match _kind(place):
        case "http" | "https":
            from ingest.sources.web import Pages

            return Pages(place, options=settings.ingest.web, fetcher=fetcher or _fetcher(settings))
        case "reader":
            from ingest.sources.reader import Loaded

            return Loaded(place, options=settings.llama_index)
        case "" | "file" | "local":
            from ingest.sources.files import Files

            return Files(_path(place), root=settings.root, max_labels_kb=settings.ingest.max_labels_kb)
        case _:
            from ingest.sources.objects import Objects

            return Objects(place)


def _kind(place: str) -> str:
    found = KIND.match(place)
    return found[0].lower() if found else ""


def _fetcher(settings: Settings) -> Fetcher:
    from ingest.sources.fetch import Fetcher

    return Fetcher(settings.ingest.web)


def _path(place: str) -> str:
    path = re.sub(r"^(file|local)://", "", place, flags=re.IGNORECASE)
    if not path:
        raise InputError("a place without a name", expected="a path, a web address or a bucket", remedy="name one")
    return path
