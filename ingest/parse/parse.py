"""The one door to all formats: a file's bytes in, a titled list of elements out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ingest.parse.elements import Element, Parsed
from rag.errors import DocumentError

SUPPORTED = (".csv", ".docx", ".eml", ".htm", ".html", ".md", ".pdf", ".pptx", ".txt", ".xlsx")

_TITLE_CHARS = 200
# Titles that programs write by themselves.
_MEANINGLESS = re.compile(
    r"(untitled|\(?anonymous\)?|unbenannt|sans titre|no(ne| title)|title|document|presentation"
    r"|(powerpoint|word|excel) (presentation|document|workbook)|slide|book|workbook|sheet|page"
    r"|microsoft (word|powerpoint|excel)\b.*|.*\.\w{2,5})[\s\d_-]*",
    re.IGNORECASE,
)


def parse(path: Path, data: bytes) -> Parsed:
    """The title and elements of the file `path` with content `data`; the extension decides the format.

    Raises DocumentError for an unknown extension, an empty file, a file without text, and one that its
    parser can't read.
    """
    if not data.strip():
        raise DocumentError(f"{path.name} is empty", expected="a document with text", remedy="fill or remove it")
    parsed = _translated(path, data)
    elements = tuple(element for element in parsed.elements if element.text.strip())
    if not elements:
        raise DocumentError(
            f"{path.name} holds no text", expected="a document with text", remedy="remove it, or add its text"
        )
    return Parsed(title=_title(path, parsed.title, elements), elements=elements)


def _translated(path: Path, data: bytes) -> Parsed:
    """Every failure of a parser as a DocumentError that names the file."""
    try:
        return _parsed(path.suffix.lower(), data)
    except DocumentError as error:
        raise DocumentError(f"{path.name}: {error.seen}", expected=error.expected, remedy=error.remedy) from error
    except MemoryError:
        raise  # whoever set the limit knows its name
    except RecursionError as error:
        raise DocumentError(f"{path.name} is nested too deeply", remedy="simplify it, or save it anew") from error
    except Exception as error:  # Parsers of foreign files raise whatever their libraries raise.
        raise DocumentError(
            f"{path.name} can't be read: {type(error).__name__}: {str(error)[:200]}",
            expected=f"an intact {path.suffix.lower()} file",
            remedy="open it in its program and save it anew, or give it its true extension",
        ) from error


def _parsed(extension: str, data: bytes) -> Parsed:
    match extension:
        case ".pdf":
            from ingest.parse.pdf import parse_pdf as parser
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
