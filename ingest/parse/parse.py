"""The one door to all formats: a file's bytes in, a titled list of elements out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path, PurePosixPath

from ingest.parse.allowance import Allowance
from ingest.parse.elements import Element, Parsed
from ingest.parse.encoding import storable
from ingest.parse.formats import parsed_as
from ingest.parse.kind import true_extension
from ingest.parse.options import DEFAULTS, Options
from rag.errors import ConfigError, DocumentError

_TITLE_CHARS = 200
_PEEK_ELEMENTS = 200
# Titles that programs write by themselves.
_MEANINGLESS = re.compile(
    r"(untitled|\(?anonymous\)?|unbenannt|sans titre|no(ne| title)|title|document|presentation"
    r"|(powerpoint|word|excel) (presentation|document|workbook)|slide|book|workbook|sheet|page"
    r"|microsoft (word|powerpoint|excel)\b.*|.*\.\w{2,5})[\s\d_-]*",
    re.IGNORECASE,
)


def parse(path: Path, data: bytes, *, options: Options = DEFAULTS) -> Parsed:
    """The title and elements of the file `path` with content `data`.

    The content decides the format where it can't be mistaken, else the extension does. The elements of a large file
    are read on while they are taken; then they can be taken once.
    Raises DocumentError for an unknown extension, an empty file, a file without text, one that its parser can't
    read, and one that holds more than the options allow; for damage further down while the elements are taken.
    """
    return _Door(Allowance(options), depth=0).opened(Path(storable(path.name)), data)


@dataclass(frozen=True, slots=True)
class _Door:
    """The way in for a file and for what is packed in it, down to a depth."""

    allowance: Allowance
    depth: int

    def opened(self, path: Path | PurePosixPath, data: bytes) -> Parsed:
        if not data or data.isspace():
            raise DocumentError(f"{path.name} is empty", expected="a document with text", remedy="fill or remove it")
        with _translated(path.name):
            extension = true_extension(path.suffix.lower(), data, self.allowance)
            parsed = parsed_as(extension, data, name=path.name, allowance=self.allowance, inner=self._inner)
        found = _translating(path.name, (_clean(element) for element in parsed.elements if element.text.strip()))
        first = tuple(islice(found, _PEEK_ELEMENTS))
        if not first:
            raise DocumentError(
                f"{path.name} holds no text", expected="a document with text", remedy="remove it, or add its text"
            )
        return Parsed(title=_title(path, parsed.title, first), elements=_all(first, found, parsed.elements))

    def _inner(self, path: PurePosixPath, data: bytes) -> Parsed:
        limit = self.allowance.options.archive_depth
        if self.depth >= limit:
            raise DocumentError(
                "it is packed too deep", expected=f"at most ingest.max_archive_depth = {limit}", remedy="unpack it"
            )
        return _Door(self.allowance, depth=self.depth + 1).opened(path, data)


def _all(first: tuple[Element, ...], rest: Iterator[Element], source: Iterable[Element]) -> Iterable[Element]:
    is_short = isinstance(source, tuple) or len(first) < _PEEK_ELEMENTS
    return (*first, *rest) if is_short else chain(first, rest)


def _translating(name: str, elements: Iterable[Element]) -> Iterator[Element]:
    with _translated(name):
        yield from elements


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Every failure of a parser as a DocumentError that names the file."""
    try:
        yield
    except ConfigError:
        raise
    except DocumentError as error:
        raise type(error)(f"{name}: {error.seen}", expected=error.expected, remedy=error.remedy) from error
    except RecursionError as error:
        raise DocumentError(f"{name} is nested too deeply", remedy="simplify it, or save it anew") from error
    except Exception as error:  # Parsers of foreign files raise whatever their libraries raise.
        raise DocumentError(
            f"{name} can't be read: {type(error).__name__}: {str(error)[:200]}",
            expected=f"an intact {PurePosixPath(name).suffix.lower()} file",
            remedy="open it in its program and save it anew, or give it its true extension",
        ) from error


def _clean(element: Element) -> Element:
    text = storable(element.text)
    return element if text == element.text else replace(element, text=text)


def _title(path: Path | PurePosixPath, stated: str, elements: Iterable[Element]) -> str:
    headings = (element.text for element in elements if element.kind == "title" and element.level == 1)
    own = stated if not _MEANINGLESS.fullmatch(stated.strip()[:_TITLE_CHARS]) else ""
    title = " ".join((storable(own) or next(headings, "")).split()) or _readable(path.stem)
    if len(title) <= _TITLE_CHARS:
        return title
    return title[:_TITLE_CHARS].rpartition(" ")[0] or title[:_TITLE_CHARS]


def _readable(stem: str) -> str:
    words = " ".join(re.sub(r"[_\s]+|(?<=[^\W\d])-|-(?=[^\W\d])", " ", stem).split())
    return words[:1].upper() + words[1:] or stem
