"""From lines with places on pages to paragraphs, headings, lists and tables.

Works on the order in which a PDF draws its text, which for nearly all programs is the reading order.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import median
from typing import Literal

from ingest.parse.columns import Grid, with_grids
from ingest.parse.elements import Element
from ingest.parse.fragments import Fragment, joined_lines
from ingest.parse.tables import table_text
from ingest.parse.text import BULLET

_HEADING_CHARS = 200
_BOLD_CHARS = 100  # a longer bold line is part of a paragraph
_LARGER = 1.12  # than the running text: a heading
_SAME_SIZE = 1.05
_DEEPEST = 6
_RUNNING_LINES = 6  # more than these are pages that are alike, not headers and footers
_MARGIN_SHARE = 0.12  # of the page's text height, at its top and bottom, where running lines stand


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    kind: Literal["title", "text", "list"]
    lines: tuple[Fragment, ...]

    @property
    def text(self) -> str:
        return joined_lines([line.text for line in self.lines])


def elements_of(pages: Sequence[Sequence[Fragment]]) -> tuple[Element, ...]:
    """The elements of a document, `pages` holding each page's fragments in drawing order."""
    parts = [part for page in _without_running_lines(pages) for part in with_grids(page)]
    lines = [part for part in parts if isinstance(part, Fragment)]
    blocks = list(_blocks(parts, body=_body_height(lines), usual_gap=_usual_gap(lines)))
    sizes = _heading_sizes(block for block in blocks if isinstance(block, _Block) and block.kind == "title")
    return tuple(_elements(blocks, sizes))


def _elements(blocks: Sequence[_Block | Grid], sizes: Sequence[float]) -> Iterator[Element]:
    previous: _Block | Grid | None = None
    for (kind, page), group in groupby(blocks, key=_kind_and_page):
        members = list(group)
        if kind == "list":
            yield Element(
                kind="list", text="\n".join(block.text for block in members if isinstance(block, _Block)), page=page
            )
            previous = members[-1]
            continue
        for block in members:
            yield _element(block, previous, sizes)
            previous = block


def _kind_and_page(block: _Block | Grid) -> tuple[str, int]:
    return ("table", block.page) if isinstance(block, Grid) else (block.kind, block.lines[0].page)


def _element(block: _Block | Grid, previous: _Block | Grid | None, sizes: Sequence[float]) -> Element:
    if isinstance(block, Grid):
        return Element(kind="table", text=table_text(_with_header(block, previous)), page=block.page)
    level = sum(size >= block.lines[0].size for size in sizes) if block.kind == "title" else 0
    return Element(kind=block.kind, text=block.text, page=block.lines[0].page, level=min(level, _DEEPEST))


def _with_header(grid: Grid, previous: _Block | Grid | None) -> Sequence[Sequence[str]]:
    """The rows of a table; one that goes on from the page before gets the header from there."""
    if not isinstance(previous, Grid) or len(previous.rows[0]) != len(grid.rows[0]) or previous.page == grid.page:
        return grid.rows
    return grid.rows if previous.rows[0] == grid.rows[0] else (previous.rows[0], *grid.rows)


def _blocks(parts: Sequence[Fragment | Grid], *, body: float, usual_gap: float) -> Iterator[_Block | Grid]:
    """Lines joined to headings, paragraphs and list items, in the order of `parts`."""
    current: _Block | None = None
    for part in parts:
        if isinstance(part, Fragment) and current and _continues(current, part, body, usual_gap):
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
    is_larger = line.size >= _LARGER * body
    is_bold_line = line.bold and len(line.text) <= _BOLD_CHARS and line.text[-1] not in ".,;:"
    if (is_larger or is_bold_line) and len(re.findall(r"[^\W\d_]", line.text)) > 1:
        return "title"
    return "list" if BULLET.match(line.text) else "text"


def _continues(block: _Block, line: Fragment, body: float, usual_gap: float) -> bool:
    """True when `line` is the next line of the heading, paragraph or list item before it."""
    last, kind = block.lines[-1], _kind(line, body)
    if line.page != last.page or line.bottom > last.top:
        return kind == block.kind == "text" and _runs_on(last.text, line.text)
    gap, size = last.bottom - line.top, min(line.size, last.size)
    if gap > usual_gap + 0.25 * size or max(line.size, last.size) > 1.15 * size:
        return False
    if block.kind == "title":
        return kind == "title" and line.bold == last.bold and not re.match(r"\d", line.text)
    return kind == "text" and _is_placed_below(block, line)


def _is_placed_below(block: _Block, line: Fragment) -> bool:
    first, last = block.lines[0], block.lines[-1]
    if block.kind == "list":
        return line.left > first.left + 0.3 * first.size or _runs_on(last.text, line.text)
    return line.left < last.left + 0.7 * last.size or line.left <= first.left


def _runs_on(before: str, after: str) -> bool:
    return before[-1] not in ".!?:;" and after[0].islower()


def _usual_gap(lines: Sequence[Fragment]) -> float:
    """The usual distance between lines that follow each other on a page."""
    gaps = [(above.bottom - below.top, above.size) for above, below in pairwise(lines) if above.page == below.page]
    return median([gap for gap, height in gaps if abs(gap) < 2 * height] or [0.0])


def _heading_sizes(headings: Iterable[_Block]) -> list[float]:
    """The distinct type sizes of the headings, largest first."""
    sizes: list[float] = []
    for size in sorted((block.lines[0].size for block in headings), reverse=True):
        if not sizes or size * _SAME_SIZE < sizes[-1]:
            sizes.append(size)
    return sizes


def _body_height(fragments: Sequence[Fragment]) -> float:
    """The line height most characters have."""
    sizes: Counter[float] = Counter()
    for fragment in fragments:
        sizes[round(fragment.size * 2) / 2] += len(fragment.text)
    return max(sizes.most_common(1)[0][0], 1.0) if sizes else 1.0


def _without_running_lines(pages: Sequence[Sequence[Fragment]]) -> list[list[Fragment]]:
    """The pages without the lines that stand at the top or bottom of most of them, page numbers aside."""
    seen = Counter(key for page in pages for key in {_running_key(line) for line in _marginal(page)})
    often = max(2, sum(bool(page) for page in pages) // 2)
    running = {key for key, count in seen.items() if count >= often}
    if len(running) > _RUNNING_LINES:
        return [list(page) for page in pages]
    return [[line for line in page if _running_key(line) not in running] for page in pages]


def _marginal(page: Sequence[Fragment]) -> list[Fragment]:
    if not page:
        return []
    top, bottom = max(line.top for line in page), min(line.bottom for line in page)
    depth = _MARGIN_SHARE * (top - bottom)
    return [line for line in page if line.bottom > top - depth or line.top < bottom + depth]


def _running_key(line: Fragment) -> tuple[str, int]:
    return re.sub(r"\d+", "#", line.text), round(line.bottom / 3)
