"""The one door to all formats: a file's bytes in, a titled list of elements out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

from ingest.parse.elements import Element, Parsed
from ingest.parse.ocr import is_installed
from ingest.parse.options import DEFAULTS, Options
from rag.errors import DocumentError

IMAGES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_TEXTS = (".csv", ".docx", ".eml", ".htm", ".html", ".md", ".pdf", ".pptx", ".txt", ".xlsx")
# What is looked for in folders: pictures only where their text can be recognised.
SUPPORTED = tuple(sorted((*_TEXTS, *(IMAGES if is_installed() else ()))))

_TITLE_CHARS = 200
_OPENING = 200  # elements that are read before the title is known
# Titles that programs write by themselves.
_MEANINGLESS = re.compile(
    r"(untitled|\(?anonymous\)?|unbenannt|sans titre|no(ne| title)|title|document|presentation"
    r"|(powerpoint|word|excel) (presentation|document|workbook)|slide|book|workbook|sheet|page"
    r"|microsoft (word|powerpoint|excel)\b.*|.*\.\w{2,5})[\s\d_-]*",
    re.IGNORECASE,
)


def parse(path: Path, data: bytes, *, options: Options = DEFAULTS) -> Parsed:
    """The title and elements of the file `path` with content `data`; the extension decides the format.

    Raises DocumentError for an unknown extension, an empty file, a file without text, and one that its
    parser can't read; far into a long document, while its elements are read.
    """
    if not data.strip():
        raise DocumentError(f"{path.name} is empty", expected="a document with text", remedy="fill or remove it")
    with _translated(path):
        parsed = _parsed(path, data, options)
    elements = _elements(path, parsed)
    opening = tuple(islice(elements, _OPENING))
    if not opening:
        raise DocumentError(
            f"{path.name} holds no text", expected="a document with text", remedy="remove it, or add its text"
        )
    return Parsed(title=_title(path, parsed.title, opening), elements=chain(opening, elements))


def _elements(path: Path, parsed: Parsed) -> Iterator[Element]:
    with _translated(path):
        yield from (element for element in parsed.elements if element.text.strip())


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Every failure of a parser as a DocumentError that names the file."""
    try:
        yield
    except DocumentError as error:
        raise DocumentError(f"{path.name}: {error.seen}", expected=error.expected, remedy=error.remedy) from error
    except RecursionError as error:
        raise DocumentError(f"{path.name} is nested too deeply", remedy="simplify it, or save it anew") from error
    except Exception as error:  # Parsers of foreign files raise whatever their libraries raise.
        raise DocumentError(
            f"{path.name} can't be read: {type(error).__name__}: {str(error)[:200]}",
            expected=f"an intact {path.suffix.lower()} file",
            remedy="open it in its program and save it anew, or give it its true extension",
        ) from error


def _parsed(path: Path, data: bytes, options: Options) -> Parsed:
    extension = path.suffix.lower()
    match extension:
        case ".pdf":
            from ingest.parse.pdf import parse_pdf

            return parse_pdf(data, options, name=path.name)
        case _ if extension in IMAGES:
            from ingest.parse.image import parse_image

            return parse_image(data, options)
        case ".md":
            from ingest.parse.markdown import parse_markdown as parser
        case ".txt":
            from ingest.parse.text import parse_text as parser
        case ".csv":
            from ingest.parse.csv_table import parse_csv as parser
        case ".eml":
            from ingest.parse.mail import parse_mail as parser
        case ".docx" | ".htm" | ".html" | ".pptx" | ".xlsx":
            from ingest.parse.office import parse_office

            return parse_office(extension, data)
        case _:
            raise DocumentError(
                f"the extension '{extension}' is unknown" if extension else "the name has no extension",
                expected=f"one of {' '.join(SUPPORTED)}",
                remedy="save the document as one of these",
            )
    return parser(data)


def _title(path: Path, stated: str, elements: Iterable[Element]) -> str:
    headings = (element.text for element in elements if element.kind == "title" and element.level == 1)
    own = stated if not _MEANINGLESS.fullmatch(stated.strip()[:_TITLE_CHARS]) else ""
    title = " ".join((own or next(headings, "")).split()) or _readable(path.stem)
    if len(title) <= _TITLE_CHARS:
        return title
    return title[:_TITLE_CHARS].rpartition(" ")[0] or title[:_TITLE_CHARS]


def _readable(stem: str) -> str:
    words = " ".join(re.sub(r"[_\s]+|(?<=[^\W\d])-|-(?=[^\W\d])", " ", stem).split())
    return words[:1].upper() + words[1:] or stem
