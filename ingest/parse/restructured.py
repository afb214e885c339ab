"""reStructuredText, read with docutils; nothing is included and no directive is run that reads files."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from ingest.parse.elements import Element, Parsed
from ingest.parse.encoding import decode
from ingest.parse.tables import table_text
from ingest.parse.text import parse_text

_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "halt_level": 5,
    "report_level": 5,
    "warning_stream": "",
    "syntax_highlight": "none",
    "line_length_limit": sys.maxsize,
}
_LARGE_BYTES = 500_000  # docutils takes quadratic time for a table: half a minute for one of this size
# In a long word without a break, it looks for names and addresses anew from every character on.
_LONG_WORD = re.compile(r"\S{2000}")
_NAMES = ("term", "field_name", "option_group")
_BODIES = ("definition", "field_body", "description")
_TEXTS = ("paragraph", "line", "caption", "attribution", "rubric", "term")
_CODES = ("literal_block", "doctest_block", "math_block")
_LISTS = ("bullet_list", "enumerated_list", "field_list", "option_list", "definition_list")
_ASIDE = ("comment", "system_message", "substitution_definition", "target", "problematic", "#text")


def parse_rst(data: bytes) -> Parsed:
    """Headings, paragraphs, lists, tables and code of a reStructuredText file; one that takes long is read as text."""
    source = decode(data)
    if len(data) > _LARGE_BYTES or _LONG_WORD.search(source):
        return parse_text(data)
    document = _document(source)
    return Parsed(title="", elements=tuple(_elements(document, 0)))


def _document(source: str) -> Any:
    from docutils.frontend import get_default_settings
    from docutils.parsers.rst import Parser
    from docutils.utils import new_document

    settings = get_default_settings(Parser)
    for name, value in _SETTINGS.items():
        setattr(settings, name, value)
    # The parser alone: the transforms that follow it elsewhere can blow up a short text to any size.
    document = new_document("document", settings)
    Parser().parse(source, document)
    return document


def _elements(node: Any, level: int) -> Iterator[Element]:
    for child in node.children:
        if child.tagname == "title":
            yield Element(kind="title" if level else "text", text=child.astext(), level=level)
        elif child.tagname in _TEXTS:
            yield Element(kind="text", text=_flowing(child))
        elif child.tagname in _CODES:
            yield Element(kind="code", text=child.astext())
        elif child.tagname in _LISTS:
            yield Element(kind="list", text="\n".join(_items(child, 0)))
        elif child.tagname == "tgroup":
            yield Element(kind="table", text=table_text(list(_rows(child))))
        elif child.tagname not in _ASIDE:
            inner = {"section": level + 1, "document": level}.get(child.tagname, 0)
            yield from _elements(child, inner)


def _items(node: Any, depth: int) -> Iterator[str]:
    """The lines of a list, nested ones indented; a name and what it stands for on one line."""
    for number, item in enumerate(node.children, int(node.get("start", 1))):
        marker = f"{number}. " if node.tagname == "enumerated_list" else "- "
        for line in _item_lines(item, depth):
            yield f"{'  ' * depth}{marker}{line}" if marker else line
            marker = ""


def _item_lines(item: Any, depth: int) -> Iterator[str]:
    lead = ": ".join(part.astext() for part in item.children if part.tagname in _NAMES)
    body = [part for part in item.children if part.tagname not in _NAMES]
    for part in (inner for outer in body for inner in (outer.children if outer.tagname in _BODIES else [outer])):
        if part.tagname.endswith("_list"):
            yield from [lead] if lead else []
            yield from _items(part, depth + 1)
        else:
            yield f"{lead}: {_flowing(part)}" if lead else _flowing(part)
        lead = ""
    if lead:
        yield lead


def _rows(table: Any) -> Iterator[list[str]]:
    from docutils import nodes

    for row in table.findall(nodes.row):
        cells: list[str] = []
        for entry in row.children:
            cells += [_flowing(entry)] * (1 + min(int(entry.get("morecols", 0)), 100))
        yield cells


def _flowing(node: Any) -> str:
    return " ".join(node.astext().split())
