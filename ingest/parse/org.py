"""Org mode: headings with stars, lists, tables and blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from ingest.parse.elements import Element, Kind, Parsed
from ingest.parse.encoding import decode
from ingest.parse.tables import table_texts
from ingest.parse.text import unwrap

_HEADING = re.compile(r"(\*+)[ \t]+(?:(?:TODO|DONE)[ \t]+)?(?:\[#\w\][ \t]*)?(.+?)(?:[ \t]+:[\w@#%:]+:)?[ \t]*")
_KEYWORD = re.compile(r"#\+(\w+):[ \t]*(.*)")
_BLOCK = re.compile(r"\s*#\+begin_(\w+)", re.IGNORECASE)
_DRAWER = re.compile(r"\s*:\w+:\s*")
_ITEM = re.compile(r"\s*(?:[-+]|\d+[.)]|\s\*)\s+\S")
_LINK = re.compile(r"\[\[([^\[\]]{1,2000})\](?:\[([^\[\]]{1,2000})\])?\]")
_SHOWN = ("AUTHOR", "CAPTION", "DATE", "SUBTITLE")
_CODE = ("src", "example", "export", "verse")


def parse_org(data: bytes) -> Parsed:
    """Headings, paragraphs, lists, tables and blocks of an Org file; files it wants to include are left out."""
    lines = decode(data).split("\n")
    stated = (found[2] for line in lines if (found := _KEYWORD.fullmatch(line)) and found[1].upper() == "TITLE")
    return Parsed(title=next(stated, ""), elements=tuple(_elements(lines)))


def _elements(lines: list[str]) -> Iterator[Element]:
    for kind, group in groupby(_sorted(lines), key=lambda item: item[0]):
        texts = [_shown(text) if kind != "code" else text for _, text in group]
        if kind == "title":
            yield from (_title(text) for text in texts)
        elif kind == "table":
            rows = [[*text.strip().strip("|").split("|")] for text in texts if not text.strip().startswith("|-")]
            yield from (Element(kind="table", text=text) for text in table_texts(rows))
        else:
            yield from _filled(kind, texts)


def _filled(kind: Kind, texts: list[str]) -> Iterator[Element]:
    for filled, part in groupby(texts, key=lambda text: kind == "code" or bool(text.strip())):
        if filled:
            text = "\n".join(part)
            yield Element(kind=kind, text=text if kind == "code" else unwrap(text))


def _title(line: str) -> Element:
    found = _HEADING.fullmatch(line)
    return Element(kind="title", text=found[2], level=len(found[1])) if found else Element(kind="text", text=line)


def _sorted(lines: list[str]) -> Iterator[tuple[Kind, str]]:
    """Every line with its kind; comments, drawers and keywords of no interest left out."""
    block, in_drawer, is_item = "", False, False
    for line in lines:
        if block:
            if line.strip().lower() == f"#+end_{block}":
                block = ""
            else:
                yield "code" if block in _CODE else "text", line
        elif found := _BLOCK.match(line):
            block = found[1].lower()
        elif in_drawer or _DRAWER.fullmatch(line):
            in_drawer = line.strip().upper() != ":END:"
        else:
            is_item = bool(_ITEM.match(line)) or (is_item and line.startswith(" "))
            yield from _line(line, is_item)


def _line(line: str, is_item: bool) -> Iterator[tuple[Kind, str]]:
    if _HEADING.fullmatch(line):
        yield "title", line
    elif line.lstrip().startswith("|"):
        yield "table", line
    elif found := _KEYWORD.match(line):
        if found[1].upper() in _SHOWN:
            yield "text", found[2]
    elif not re.match(r"\s*#(\s|$)", line):
        yield "list" if is_item else "text", line


def _shown(text: str) -> str:
    return _LINK.sub(lambda found: found[2] or found[1], text)
