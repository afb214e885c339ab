"""OpenDocument: texts, presentations and workbooks of LibreOffice and others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.parse.allowance import Allowance
from ingest.parse.elements import Element, Parsed
from ingest.parse.opendocument_table import repeated, table_rows
from ingest.parse.opendocument_text import ATTRIBUTE, plain_text, tag_of
from ingest.parse.package import Package, xml_root
from ingest.parse.sheets import sheet_elements
from ingest.parse.tables import table_texts
from rag.errors import DocumentError

_MANIFEST = "META-INF/manifest.xml"
# Deleted text, remarks, and what is no text of the document.
_ASIDE = (
    "text:tracked-changes office:annotation office:forms text:sequence-decls table:shapes draw:page-thumbnail".split()
)


def parse_opendocument(data: bytes, allowance: Allowance) -> Parsed:
    """An ODT, ODP or ODS file; slides and sheets are pages. The title is the one in its properties."""
    package = Package(data, allowance)
    if _MANIFEST in package and b":encryption-data" in package.read(_MANIFEST):
        raise DocumentError("it is encrypted", expected="a file without a password", remedy="save it without one")
    body = xml_root(package.read("content.xml")).find("office:body", {"office": ATTRIBUTE["office"]})
    if body is None:
        raise DocumentError("its content has no body", expected="an intact file", remedy="save it anew")
    return Parsed(title=_title(package), elements=(*_document(body), *_charts(package)))


def _title(package: Package) -> str:
    if "meta.xml" not in package:
        return ""
    root = xml_root(package.read("meta.xml"), recover=True)
    return (root.findtext(".//{http://purl.org/dc/elements/1.1/}title") or "").strip()


def _charts(package: Package) -> Iterator[Element]:
    """The values of the charts, which are documents of their own."""
    for name in package:
        if name.endswith("/content.xml") and b"office:chart" in (source := package.read(name)):
            for table in xml_root(source).iter(f"{{{ATTRIBUTE['table']}}}table"):
                yield from (Element(kind="table", text=text) for text in table_texts(table_rows(table)))


def _document(body: Any) -> Iterator[Element]:
    for part in body:
        match tag_of(part):
            case "office:spreadsheet":
                sheets = (node for node in part if tag_of(node) == "table:table")
                for page, sheet in enumerate(sheets, 1):
                    yield from _sheet(sheet, page)
            case "office:presentation":
                slides = (node for node in part if tag_of(node) == "draw:page")
                for page, slide in enumerate(slides, 1):
                    yield from _slide(slide, page)
            case _:
                yield from _blocks(part, None)


def _sheet(sheet: Any, page: int) -> Iterator[Element]:
    name = sheet.get(f"{{{ATTRIBUTE['table']}}}name", "")
    yield from sheet_elements(name, page, table_rows(sheet))


def _slide(slide: Any, page: int) -> Iterator[Element]:
    """The title of the slide first, wherever it stands, then everything else."""
    titles = [node for node in slide if node.get(f"{{{ATTRIBUTE['presentation']}}}class") == "title"]
    for node in titles:
        yield Element(kind="title", text=" ".join(plain_text(node).split()), page=page, level=1)
    for node in slide:
        if node not in titles and tag_of(node) not in _ASIDE:
            yield from _blocks(node, page)


def _blocks(node: Any, page: int | None) -> Iterator[Element]:
    for child in node:
        match tag_of(child):
            case "text:h":
                level = child.get(f"{{{ATTRIBUTE['text']}}}outline-level", "1")
                depth = repeated(level, limit=9)
                yield Element(kind="title", text=plain_text(child), page=page, level=depth)
            case "text:p":
                yield Element(kind="text", text=plain_text(child), page=page)
                yield from _anchored(child, page)
            case "text:list" if not _has_headings(child):
                yield Element(kind="list", text="\n".join(_items(child, 0)), page=page)
            case "table:table":
                yield from (Element(kind="table", text=text, page=page) for text in table_texts(table_rows(child)))
            case tag if tag and tag not in _ASIDE:
                yield from _blocks(child, page)


def _anchored(paragraph: Any, page: int | None) -> Iterator[Element]:
    """Text boxes and tables in frames that hang on a paragraph."""
    for child in paragraph:
        if tag_of(child).startswith("draw:"):
            yield from _blocks(child, page)
        elif tag_of(child) == "text:span":
            yield from _anchored(child, page)


def _items(node: Any, depth: int) -> Iterator[str]:
    marker = "- "
    for child in node:
        match tag_of(child):
            case "text:list-item" | "text:list-header":
                yield from _items(child, depth)
            case "text:list":
                yield from _items(child, depth + 1)
            case "text:p" if text := plain_text(child).strip():
                yield f"{'  ' * depth}{marker}{text}"
                marker = ""


def _has_headings(node: Any) -> bool:
    # Numbered headings are kept in lists.
    return node.find(f".//{{{ATTRIBUTE['text']}}}h") is not None
