"""From lines with places on pages to paragraphs, headings, lists and tables.

Works on the order in which a PDF draws its text, which for nearly all programs is the reading order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice, pairwise
from typing import Literal

from ingest.parse.columns import Grid, with_grids
from ingest.parse.elements import Element
from ingest.parse.fragments import Fragment, box_of, joined_lines
from ingest.parse.style import LARGER, Running, body_height, heading_sizes, running_lines, usual_gap
from ingest.parse.tables import table_text
from ingest.parse.text import BULLET
from rag.types import Box

_HEADING_CHARS = 200
_BOLD_CHARS = 100  # a longer bold line is part of a paragraph
_DEEPEST = 6
_TEXT_GAP = 0.25  # of the line's height, beyond the usual distance: more parts paragraphs
_HEADING_GAP = 0.5
_LINES_IN_A_BLOCK = 400  # no paragraph is longer
# How a document is set is judged from so many pages; the others are read while they are asked for.
SAMPLE_PAGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    kind: Literal["title", "text", "list"]
    lines: tuple[Fragment, ...]

    @property
    def text(self) -> str:
        return joined_lines([line.text for line in self.lines])

    @property
    def page(self) -> int:
        return self.lines[0].page


def elements_of(pages: Iterable[Sequence[Fragment]]) -> Iterator[Element]:
    """The elements of a document, `pages` holding each page's fragments in drawing order."""
    rest = iter(pages)
    sample = list(islice(rest, SAMPLE_PAGES))
    running = running_lines(sample)
    first = _parts(sample, running)
    lines = [part for part in first if isinstance(part, Fragment)]
    body, gap = body_height(lines), usual_gap(lines)
    titles = (block for block in _blocks(first, body, gap) if isinstance(block, _Block) and block.kind == "title")
    sizes = heading_sizes(block.lines[0].size for block in titles)
    later = (part for page in rest for part in _parts([page], running))
    yield from _elements(_blocks(chain(first, later), body, gap), sizes)


def _parts(pages: Iterable[Sequence[Fragment]], running: Running) -> list[Fragment | Grid]:
    return [part for page in pages for part in with_grids(running.removed_from(page))]


def _elements(blocks: Iterable[_Block | Grid], sizes: Sequence[float]) -> Iterator[Element]:
    previous: _Block | Grid | None = None
    for (kind, _), group in groupby(blocks, key=_kind_and_page):
        if kind == "list":
            items = [block for block in group if isinstance(block, _Block)]
            yield _list(items)
            previous = items[-1]
            continue
        for block in group:
            yield _element(block, previous, sizes)
            previous = block


def _kind_and_page(block: _Block | Grid) -> tuple[str, int]:
    return ("table", block.page) if isinstance(block, Grid) else (block.kind, block.page)


def _list(items: Sequence[_Block]) -> Element:
    page = items[0].page
    return Element(kind="list", text="\n".join(item.text for item in items), page=page, box=_box(items, page))


def _element(block: _Block | Grid, previous: _Block | Grid | None, sizes: Sequence[float]) -> Element:
    if isinstance(block, Grid):
        rows = _with_header(block, previous)
        return Element(kind="table", text=table_text(rows), page=block.page, box=block.box)
    # A heading larger than all of the first pages has the level of those.
    level = max(1, sum(size >= block.lines[0].size for size in sizes)) if block.kind == "title" else 0
    box = _box([block], block.page)
    return Element(kind=block.kind, text=block.text, page=block.page, level=min(level, _DEEPEST), box=box)


def _box(blocks: Iterable[_Block], page: int) -> Box | None:
    """The place where the blocks begin: what runs on to the next column or page lies elsewhere."""
    lines = [line for block in blocks for line in block.lines if line.page == page]
    jumps = (at for at, (above, below) in enumerate(pairwise(lines), 1) if below.bottom > above.top)
    return box_of(lines[: next(jumps, len(lines))])


def _with_header(grid: Grid, previous: _Block | Grid | None) -> Sequence[Sequence[str]]:
    """The rows of a table; one that goes on from the page before gets the header from there."""
    if not isinstance(previous, Grid) or len(previous.rows[0]) != len(grid.rows[0]) or previous.page == grid.page:
        return grid.rows
    return grid.rows if previous.rows[0] == grid.rows[0] else (previous.rows[0], *grid.rows)


def _blocks(parts: Iterable[Fragment | Grid], body: float, usual: float) -> Iterator[_Block | Grid]:
    """Lines joined to headings, paragraphs and list items, in the order of `parts`."""
    current: _Block | None = None
    for part in parts:
        if isinstance(part, Fragment) and current and _continues(current, part, body, usual):
            current = replace(current, lines=(*current.lines, part))
            continue
        if current:
            yield _checked(current)
        current = _Block(kind=_kind(part, body), lines=(part,)) if isinstance(part, Fragment) else None
        if isinstance(part, Grid):
            yield part
    if current:
        yield _checked(current)


def _checked(block: _Block) -> _Block:
    is_too_long = block.kind == "title" and len(block.text) > _HEADING_CHARS
    return replace(block, kind="text") if is_too_long else block


def _kind(line: Fragment, body: float) -> Literal["title", "text", "list"]:
    is_larger = line.size >= LARGER * body
    is_bold_line = line.bold and len(line.text) <= _BOLD_CHARS and line.text[-1] not in ".,;:"
    if (is_larger or is_bold_line) and len(re.findall(r"[^\W\d_]", line.text)) > 1:
        return "title"
    return "list" if BULLET.match(line.text) else "text"


def _continues(block: _Block, line: Fragment, body: float, usual: float) -> bool:
    """True when `line` is the next line of the heading, paragraph or list item before it."""
    last, kind = block.lines[-1], _kind(line, body)
    if line.page != last.page or line.bottom > last.top:
        is_full = len(block.lines) >= _LINES_IN_A_BLOCK
        return kind == block.kind == "text" and _runs_on(last.text, line.text) and not is_full
    gap, size = last.bottom - line.top, min(line.size, last.size)
    widest = usual + (_HEADING_GAP if block.kind == "title" else _TEXT_GAP) * size
    if gap > widest or max(line.size, last.size) > 1.15 * size or len(block.lines) >= _LINES_IN_A_BLOCK:
        return False
    if block.kind == "title":
        is_alike = line.bold == last.bold or min(line.size, last.size) >= LARGER * body
        return kind == "title" and is_alike and not re.match(r"\d", line.text)
    return kind == "text" and _is_placed_below(block, line)


def _is_placed_below(block: _Block, line: Fragment) -> bool:
    first, last = block.lines[0], block.lines[-1]
    if block.kind == "list":
        return line.left > first.left + 0.3 * first.size or _runs_on(last.text, line.text)
    return line.left < last.left + 0.7 * last.size or line.left <= first.left


def _runs_on(before: str, after: str) -> bool:
    return before[-1] not in ".!?:;" and after[0].islower()
