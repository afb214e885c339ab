"""Word, PowerPoint, Excel and HTML through unstructured, with what it leaves out put back."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from itertools import groupby
from typing import Any, Literal

from ingest.parse.allowance import Allowance
from ingest.parse.charts import chart_elements
from ingest.parse.elements import Element, Kind, Parsed
from ingest.parse.encoding import decode
from ingest.parse.html_source import laid_open
from ingest.parse.html_table import caption_and_text
from ingest.parse.package import Package, xml_root
from ingest.parse.slide_source import without_merges
from ingest.parse.text import BULLET
from ingest.parse.word_source import completed, transitional

# spaCy pipelines and the module state of unstructured are not made for several threads at once, and
# parsing holds the interpreter lock anyway.
_ONE_AT_A_TIME = threading.Lock()
_PROPERTIES = "docProps/core.xml"
_DROPPED = ("PageBreak", "Footer", "PageNumber", "Image")
_KINDS: dict[str, Kind] = {"ListItem": "list", "Table": "table", "CodeSnippet": "code"}


def parse_office(extension: Literal[".docx", ".pptx", ".xlsm", ".xlsx"], data: bytes, allowance: Allowance) -> Parsed:
    """A file of the format that `extension` names."""
    package = Package(data, allowance)
    package.take_all()
    parts = transitional(package)
    if extension == ".docx":
        parts = completed(package, parts)
    if extension == ".pptx":
        parts = without_merges(package, parts)
    data = package.replaced(parts) if parts else data
    match extension:
        case ".docx":
            elements = _docx(data)
        case ".pptx":
            elements = _pptx(data)
        case ".xlsm" | ".xlsx":
            elements = _sheets(partitioned("xlsx", data))
    return Parsed(title=_title(package), elements=(*elements, *chart_elements(package)))


def _docx(data: bytes) -> Iterator[Element]:
    """A Word document; headings from its styles, pages where Word recorded page breaks."""
    return elements_of(partitioned("docx", data))


def _pptx(data: bytes) -> Iterator[Element]:
    """A presentation: each slide a page, its title a heading, then its text, tables and speaker notes."""
    found = partitioned("pptx", data, {"include_slide_notes": True})
    # unstructured calls short text a title; only depth 0 is the slide's own title, and that comes first.
    ordered = sorted(found, key=lambda item: (item.metadata.page_number, not _is_title(item, 0)))
    return elements_of(ordered, deepest=0)


def parse_html(data: bytes) -> Parsed:
    """A web page: the part in <main> if there is one, without scripts and styles."""
    from lxml import html

    page = html.document_fromstring(_html_source(data).encode(), parser=html.HTMLParser(encoding="utf-8"))
    source = html.tostring(laid_open(page), encoding="utf-8")
    elements = tuple(elements_of(partitioned("html", source)))
    return Parsed(title=(page.findtext(".//title") or "").strip(), elements=elements)


def partitioned(name: str, data: bytes, options: Mapping[str, Any] | None = None) -> list[Any]:
    """The elements unstructured finds with its partition function for `name`."""
    with _ONE_AT_A_TIME:
        elements: list[Any] = _partition(name)(file=io.BytesIO(data), languages=[""], **(options or {}))
    return elements


def _partition(name: str) -> Callable[..., list[Any]]:
    # Read by unstructured at import: without them it reports each start and prints a notice.
    os.environ["DO_NOT_TRACK"] = os.environ["UNSTRUCTURED_DISABLE_NOTICE"] = "1"
    from unstructured.nlp import tokenize

    # unstructured would download a model to tell prose from other text, which nothing here asks for.
    tokenize._load_spacy_model = _blank_model
    module = import_module(f"unstructured.partition.{name}")
    function: Callable[..., list[Any]] = getattr(module, f"partition_{name}")
    return function


def _blank_model() -> Any:
    import spacy

    model = spacy.blank("xx")
    model.add_pipe("sentencizer")
    return model


def elements_of(found: Iterable[Any], *, deepest: int = 8) -> Iterator[Element]:
    """Our elements from unstructured's: neighbouring list items become one list, guessed titles plain text.

    A title counts as a heading when unstructured knows its depth, and that is at most `deepest`.
    """
    kept = (item for item in found if item.category not in _DROPPED and item.text.strip())
    for (kind, page), group in groupby(kept, key=lambda item: (_KINDS.get(item.category), item.metadata.page_number)):
        if kind == "list":
            yield Element(kind="list", text="\n".join(_list_line(item) for item in group), page=page)
        else:
            for item in group:
                yield from _element(item, page, deepest)


def _element(item: Any, page: int | None, deepest: int) -> Iterator[Element]:
    kind = _KINDS.get(item.category, "text")
    if _is_title(item, deepest):
        yield Element(kind="title", text=item.text, page=page, level=item.metadata.category_depth + 1)
    elif kind == "table" and item.metadata.text_as_html:
        caption, rows = caption_and_text(item.metadata.text_as_html)
        yield Element(kind="text", text=caption, page=page)
        yield Element(kind="table", text=rows, page=page)
    else:
        yield Element(kind=kind, text=item.text, page=page)


def _is_title(item: Any, deepest: int) -> bool:
    depth = item.metadata.category_depth
    return item.category == "Title" and depth is not None and depth <= deepest


def _list_line(item: Any) -> str:
    text = item.text.strip()
    return text if BULLET.match(text) else f"- {text}"


def _sheets(found: Iterable[Any]) -> Iterator[Element]:
    """A workbook: each sheet a page with its name as a heading (of level 2: it doesn't name the workbook)."""
    for (page, name), items in groupby(found, key=lambda item: (item.metadata.page_number, item.metadata.page_name)):
        yield Element(kind="title", text=name, page=page, level=2)
        yield from elements_of(items)


def _html_source(data: bytes) -> str:
    """The page as text: UTF-8 or by its byte order mark, else as its <meta> says."""
    from lxml import html

    try:
        data.decode()
    except UnicodeDecodeError:
        if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return str(html.tostring(html.document_fromstring(data), encoding="unicode"))
    return decode(data)


def _title(package: Package) -> str:
    """The title in the properties of an Office file."""
    if _PROPERTIES not in package:
        return ""
    stated = xml_root(package.read(_PROPERTIES), recover=True).findtext("{http://purl.org/dc/elements/1.1/}title")
    return (stated or "").strip()
