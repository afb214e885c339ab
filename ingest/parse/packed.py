"""Files in files: members of archives and attachments of mails, each under a heading with its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from ingest.parse.allowance import Exhausted
from ingest.parse.elements import Element, Parsed
from rag.errors import DocumentError

Inner = Callable[[PurePosixPath, bytes], Parsed]

_NAME_CHARS = 300
# A member does not name what it is packed in, so its heading is of level 2.
_LEVEL = 2


def heading(name: str) -> Element:
    """The heading of a packed file."""
    return Element(kind="title", text=shown(name), level=_LEVEL)


def shown(name: str) -> str:
    """The name of a packed file in one line."""
    return " ".join(name.split())[:_NAME_CHARS]


def below(elements: Iterable[Element], *, levels: int = _LEVEL) -> Iterator[Element]:
    """The elements with their headings so many levels down, without places: those are on pages of the packed file."""
    for element in elements:
        yield replace(element, level=element.level + levels * (element.kind == "title"), box=None)


def packed_elements(name: str, data: bytes, inner: Inner) -> Iterator[Element]:
    """The heading of a packed file and its elements; raises DocumentError before the heading if it can't be read."""
    found = inner(PurePosixPath(name), data)
    yield heading(name)
    yield from below(found.elements)


def readable(name: str, data: bytes, inner: Inner) -> Iterable[Element]:
    """The same, but nothing for a file that can't be read: there its name alone has to do."""
    try:
        yield from packed_elements(name, data, inner)
    except Exhausted:
        raise
    except DocumentError:
        return
