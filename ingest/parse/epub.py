"""EPUB books: the chapters in the order of reading, each read as a web page."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from ingest.parse.allowance import Allowance
from ingest.parse.elements import Element, Parsed
from ingest.parse.office import parse_html
from ingest.parse.package import Package, xml_root
from rag.errors import DocumentError

_CONTAINER = "META-INF/container.xml"
_PAGES = ("application/xhtml+xml", "text/html")


def parse_epub(data: bytes, allowance: Allowance) -> Parsed:
    """The chapters of a book, each a page; the title is the book's."""
    package = Package(data, allowance)
    place = _first(xml_root(package.read(_CONTAINER)), "rootfile").get("full-path", "")
    book = xml_root(package.read(place))
    names = [name for name in _spine(book, posixpath.dirname(place)) if name in package]
    allowance.take_files(len(names))
    if not names:
        raise DocumentError("it has no chapters", expected="an intact book", remedy="save it anew")
    title = next((node.text or "" for node in book.iter("{*}title")), "")
    return Parsed(title=title.strip(), elements=_chapters(package, names))


def _first(root: Any, name: str) -> Any:
    found = next(root.iter(f"{{*}}{name}"), None)
    if found is None:
        raise DocumentError(f"its list of parts names no {name}", expected="an intact book", remedy="save it anew")
    return found


def _spine(book: Any, folder: str) -> Iterator[str]:
    """The names of the chapters' files in the order of reading, each once."""
    places = {
        item.get("id"): posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        for item in book.iter("{*}item")
        if item.get("media-type") in _PAGES
    }
    listed = dict.fromkeys(item.get("idref") for item in book.iter("{*}itemref"))
    yield from (places[name] for name in listed if name in places)


def _chapters(package: Package, names: list[str]) -> Iterator[Element]:
    for page, name in enumerate(names, 1):
        source = package.read(name)
        if _has_text(source):
            for element in parse_html(source).elements:
                yield Element(kind=element.kind, text=element.text, level=element.level, page=page)


def _has_text(source: bytes) -> bool:
    # A cover is a page with a picture.
    from lxml import html

    root = html.document_fromstring(source) if source.strip() else None
    return root is not None and bool(" ".join(root.text_content().split()))
