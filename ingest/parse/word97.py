"""DOC files of Word 97-2003: paragraphs with headings, lists and tables. After the format's specification, MS-DOC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from ingest.parse.compound import compound, stated_title
from ingest.parse.elements import Element, Kind, Parsed
from ingest.parse.tables import table_text
from ingest.parse.text import BULLET
from ingest.parse.word97_file import Paragraph, Word97

_MARKS = "\r\x07\x0c"
_CHARS = str.maketrans(
    {"\x0b": "\n", "\x1e": "-", "\xa0": " ", **dict.fromkeys(map(chr, (1, 2, 3, 4, 5, 8, 19, 20, 21, 31)))}
)
_FIELD_CODE = re.compile(r"\x13[^\x13-\x15]*[\x14\x15]")
_HEADINGS = range(1, 10)

Block = tuple[Kind, int, str]


def parse_word97(data: bytes) -> Parsed:
    """The text of a Word file, then its notes and text boxes; headers, footers and remarks are left out."""
    with compound(data) as file:
        return Parsed(title=stated_title(file), elements=tuple(_elements(Word97(file))))


def _elements(word: Word97) -> Iterator[Element]:
    for kind, group in groupby(_blocks(word.paragraphs()), key=lambda block: block[0]):
        if kind == "list":
            yield Element(kind="list", text="\n".join(_item(text) for _, _, text in group))
        else:
            yield from (Element(kind=kind, level=level, text=text) for _, level, text in group)


def _item(text: str) -> str:
    return text if BULLET.match(text) else f"- {text}"


def _blocks(paragraphs: Iterator[Paragraph]) -> Iterator[Block]:
    for in_table, group in groupby(paragraphs, key=lambda paragraph: paragraph.in_table):
        if in_table:
            yield "table", 0, table_text(_rows(group))
        else:
            yield from (block for paragraph in group if (block := _block(paragraph))[2])


def _block(paragraph: Paragraph) -> Block:
    text = _plain(paragraph.text)
    if paragraph.style in _HEADINGS:
        return "title", paragraph.style, text
    if paragraph.outline is not None:
        return "title", paragraph.outline + 1, text
    return ("list" if paragraph.is_item else "text"), 0, text


def _rows(paragraphs: Iterator[Paragraph]) -> list[list[str]]:
    rows: list[list[str]] = []
    cells: list[str] = []
    cell: list[str] = []
    for paragraph in paragraphs:
        if paragraph.ends_row:
            rows.append(cells)
            cells = []
            continue
        cell.append(_plain(paragraph.text))
        if paragraph.text.endswith("\x07"):
            cells.append("\n".join(cell))
            cell = []
    return [*rows, [*cells, *cell]]


def _plain(text: str) -> str:
    """Text without its end mark, the codes of fields and the places of pictures."""
    for _ in range(2):  # a field may stand in the code of another
        text = _FIELD_CODE.sub("", text)
    return text.rstrip(_MARKS).translate(_CHARS).strip()
