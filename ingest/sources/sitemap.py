"""Sitemaps: the addresses in them. They come from outside: no DTD, no entities, no data that unpacks without end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ingest.sources.content import too_large
from ingest.sources.exchange import SIZE_LIMIT
from ingest.sources.inflate import GZIP_MAGIC, inflated
from rag.errors import InputError

HEAD_BYTES = 10_000
# What may stand before the first element, and that element.
PROLOG = re.compile(rb"\xef\xbb\xbf|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[[^\]]*\])?\s*>", re.DOTALL)
ROOT = re.compile(rb"\s*<(?:[\w-]{1,40}:)?(?:urlset|sitemapindex)[\s/>]")
DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    """The addresses in a sitemap: of pages, or of further sitemaps where it `is_index`."""

    is_index: bool
    locations: tuple[str, ...]


def read_sitemap(data: bytes, *, name: str, max_bytes: int) -> Sitemap | None:
    """What a sitemap says, packed with gzip or not; None for data that is none.

    Raises InputError for one that is not well-formed or declares entities, DocumentError for one that is too large.
    """
    text = _unpacked(data, name, max_bytes)
    if not ROOT.match(PROLOG.sub(b"", text[:HEAD_BYTES])):
        return None
    root = _root(text, name)
    kind = root.tag.rpartition("}")[2]
    entry = {"urlset": "url", "sitemapindex": "sitemap"}.get(kind)
    if entry is None:
        return None
    namespace = root.tag[: -len(kind)]
    found = (place.text or "" for place in root.iterfind(f"{namespace}{entry}/{namespace}loc"))
    return Sitemap(is_index=kind == "sitemapindex", locations=tuple(place.strip() for place in found if place.strip()))


def _unpacked(data: bytes, name: str, max_bytes: int) -> bytes:
    if not data.startswith(GZIP_MAGIC):
        return data
    text = bytearray()
    for piece in inflated([data], name=name):
        text += piece
        if len(text) > max_bytes:
            raise too_large(name, max_bytes, limit=SIZE_LIMIT)
    return bytes(text)


def _root(text: bytes, name: str) -> Any:
    from lxml import etree

    if DECLARATION.search(text):
        raise _bad(name, "declares a DTD or entities")
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(text, parser=parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _bad(name, f"is not well-formed: {error}") from None


def _bad(name: str, what: str) -> InputError:
    return InputError(
        f"the sitemap {name} {what}", expected="a sitemap as sitemaps.org describes it", remedy="tell the site"
    )
