"""RTF: paragraphs, headings by their style or outline level, lists and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from ingest.parse.elements import Element, Kind, Parsed
from ingest.parse.rtf_text import events
from ingest.parse.tables import table_text
from ingest.parse.text import BULLET
from rag.errors import DocumentError

_STYLE = re.compile(r"\{\\s(\d{1,4})\b([^{}]*)")
_STYLE_LEVEL = re.compile(r"\\outlinelevel([0-8])\b|\bheading ([1-9])\b", re.IGNORECASE)
_TITLE = re.compile(r"\{\\title ([^{}\\]+)\}")

Block = tuple[Kind, int, str]


def parse_rtf(data: bytes) -> Parsed:
    """The text of an RTF file; headers, footers, pictures and hidden text are left out."""
    source = data.decode("latin-1")
    if not source.lstrip().startswith("{\\rtf"):
        raise DocumentError("it does not begin as RTF", expected="an RTF file", remedy="give it its true extension")
    title = _TITLE.search(source)
    return Parsed(title=title[1].strip() if title else "", elements=tuple(_elements(source)))


def _elements(source: str) -> Iterator[Element]:
    blocks = _Blocks(_levels(source))
    found = (block for event in events(source) for block in blocks.after(*event))
    for kind, group in groupby(_all(found, blocks), key=lambda block: block[0]):
        if kind == "list":
            yield Element(kind="list", text="\n".join(_item(text) for _, _, text in group))
        else:
            yield from (Element(kind=kind, level=level, text=text) for _, level, text in group)


def _all(found: Iterator[Block], blocks: _Blocks) -> Iterator[Block]:
    yield from found
    yield from blocks.after("pard", "")
    yield from blocks.after("par", "")


def _levels(source: str) -> dict[str, int]:
    """The levels of the heading styles by their numbers."""
    start = source.find("{\\stylesheet")
    sheet = source[start : start + 500_000] if start >= 0 else ""
    found = ((style[1], _STYLE_LEVEL.search(style[2])) for style in _STYLE.finditer(sheet))
    return {number: int(level[1]) + 1 if level[1] else int(level[2]) for number, level in found if level}


def _item(text: str) -> str:
    return text if BULLET.match(text) else f"- {text}"


class _Blocks:
    """Gathers events until a paragraph or a table is whole."""

    def __init__(self, levels: dict[str, int]) -> None:
        self.levels = levels
        self.pieces: list[str] = []
        self.cells: list[str] = []
        self.rows: list[list[str]] = []
        self.level = 0
        self.in_table = self.is_item = False

    def after(self, event: str, value: str) -> Iterator[Block]:
        """What an event completes."""
        match event:
            case "text":
                self.pieces.append(value)
            case "cell":
                self.cells.append(self._text())
            case "row":
                self.rows.append(self.cells)
                self.cells = []
            case "par" | "sect":
                yield from self._paragraph()
            case _:
                self._format(event, value)

    def _format(self, event: str, value: str) -> None:
        match event:
            case "s":
                self.level = self.levels.get(value, 0)
            case "outlinelevel":
                self.level = int(value) + 1 if value in tuple("012345678") else 0
            case "item":
                self.is_item = True
            case "intbl":
                self.in_table = True
            case "pard":
                self.level, self.in_table, self.is_item = 0, False, False

    def _paragraph(self) -> Iterator[Block]:
        if self.in_table or self.cells:
            self.pieces.append("\n")
            return
        if self.rows:
            yield "table", 0, table_text(self.rows)
            self.rows = []
        if text := self._text():
            kind: Kind = "title" if self.level else "list" if self.is_item else "text"
            yield kind, self.level, text

    def _text(self) -> str:
        # Characters beyond the first plane come as two halves.
        whole = "".join(self.pieces).encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")
        self.pieces = []
        return whole.replace("\0", "").strip()
