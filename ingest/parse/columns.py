"""Finds the tables among the fragments of a page: rows of cells that stand beside each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ingest.parse.fragments import MOST_PIECES, Fragment, box_of, joined_lines, side_by_side
from rag.types import Box

# The lines of a cell, from top to bottom, and the cells of a row, from left to right.
Cell = tuple[Fragment, ...]
Row = tuple[Cell, ...]

_MARKER = re.compile(r"[-*+•◦▪●■–·‣○]|\(?(?:\d{1,3}(?:\.\d{1,3}){0,4}|[a-zA-Z])[.)]")
_LINES_IN_A_CELL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table: the text of its cells by row and column, every row of the same length."""

    page: int
    rows: tuple[tuple[str, ...], ...]
    box: Box | None


def with_grids(page: Sequence[Fragment]) -> Iterator[Fragment | Grid]:
    """The fragments of a page, those that form tables replaced by the tables; a page of thousands is left as it is."""
    if len(page) > MOST_PIECES:
        yield from page
        return
    rows = [_without_marker(row) for row in _rows(page)]
    for is_table, run in groupby(_flagged(rows), key=lambda flagged: flagged[0]):
        members = [row for _, row in run]
        grid = _grid(members) if is_table else None
        if grid:
            yield grid
        else:
            yield from (line for row in members for line in _lines(row))


def _rows(page: Sequence[Fragment]) -> list[Row]:
    rows: list[list[Cell]] = []
    for cell in _cells(page):
        if rows and _is_beside(rows[-1], cell):
            rows[-1].append(cell)
        else:
            rows.append([cell])
    return [tuple(row) for row in rows]


def _cells(page: Sequence[Fragment]) -> list[Cell]:
    cells: list[list[Fragment]] = []
    for fragment in page:
        if cells and _continues(cells[-1][-1], fragment):
            cells[-1].append(fragment)
        else:
            cells.append([fragment])
    return [tuple(cell) for cell in cells]


def _continues(above: Fragment, below: Fragment) -> bool:
    """True for the next line of the same cell: just below, starting or centred at the same place."""
    size = min(above.size, below.size)
    starts_alike = abs(above.left - below.left) < 0.5 * size
    centred = abs(above.left + above.right - below.left - below.right) < size
    return -0.3 * size < above.bottom - below.top < 0.5 * size and (starts_alike or centred)


def _is_beside(row: Sequence[Cell], cell: Cell) -> bool:
    top, bottom = max(part[0].top for part in row), min(part[-1].bottom for part in row)
    shared = min(top, cell[0].top) - max(bottom, cell[-1].bottom)
    smaller = min(top - bottom, cell[0].top - cell[-1].bottom)
    return shared > 0.5 * smaller and cell[0].left > max(line.right for line in row[-1]) - 0.1 * cell[0].size


def _without_marker(row: Row) -> Row:
    """A bullet or number stands beside its item like a cell, but isn't one."""
    if len(row) != 2 or len(row[0]) != 1 or not _MARKER.fullmatch(row[0][0].text):
        return row
    return ((side_by_side((row[0][0], row[1][0])), *row[1][1:]),)


def _flagged(rows: Sequence[Row]) -> Iterator[tuple[bool, Row]]:
    """Each row with whether it may belong to a table: it has cells, or stands close between two such rows."""
    many = [len(row) > 1 and all(len(cell) <= _LINES_IN_A_CELL for cell in row) for row in rows]
    for number, row in enumerate(rows):
        between = 0 < number < len(rows) - 1 and many[number - 1] and many[number + 1]
        yield many[number] or (between and _is_close(rows[number - 1], row) and _is_close(row, rows[number + 1])), row


def _is_close(above: Row, below: Row) -> bool:
    gap = min(cell[-1].bottom for cell in above) - max(cell[0].top for cell in below)
    return -below[0][0].size < gap < 1.2 * below[0][0].size


def _grid(rows: Sequence[Row]) -> Grid | None:
    """The rows as a table, or None when their cells don't line up."""
    most = max(len(row) for row in rows)
    columns = _columns([row for row in rows if len(row) == most])
    if len(rows) < 2 or len(columns) < 2 or not _lines_up(rows, columns):
        return None
    box = box_of(line for row in rows for cell in row for line in cell)
    return Grid(page=rows[0][0][0].page, rows=tuple(_texts(row, columns) for row in rows), box=box)


def _columns(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """The spans from left to right that cells of the fullest rows cover, overlapping ones made one."""
    columns: list[tuple[float, float]] = []
    for left, right in sorted(_span(cell) for row in rows for cell in row):
        if columns and left < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(right, columns[-1][1]))
        else:
            columns.append((left, right))
    return columns


def _span(cell: Cell) -> tuple[float, float]:
    return min(line.left for line in cell), max(line.right for line in cell)


def _lines_up(rows: Sequence[Row], columns: Sequence[tuple[float, float]]) -> bool:
    """True when some column after the first has cells in two rows or more, aligned at left, right or centre."""
    for number in range(1, len(columns)):
        cells = [cell for row in rows for cell in row[1:] if _column_of(cell, columns) == number]
        spans = [_span(cell) for cell in cells]
        size = max((cell[0].size for cell in cells), default=0.0)
        edges = zip(*((left, right, (left + right) / 2) for left, right in spans), strict=True)
        if len(spans) > 1 and any(max(edge) - min(edge) < size for edge in edges):
            return True
    return False


def _column_of(cell: Cell, columns: Sequence[tuple[float, float]]) -> int:
    left, right = _span(cell)
    shared = [min(right, end) - max(left, begin) for begin, end in columns]
    return shared.index(max(shared))


def _texts(row: Row, columns: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    placed = [(_column_of(cell, columns), joined_lines([line.text for line in cell])) for cell in row]
    return tuple(" ".join(text for place, text in placed if place == number) for number in range(len(columns)))


def _lines(row: Row) -> Iterator[Fragment]:
    """A row that is no part of a table: cells of one line become one line, others follow each other."""
    if len(row) > 1 and all(len(cell) == 1 for cell in row):
        yield side_by_side([cell[0] for cell in row])
    else:
        yield from (line for cell in row for line in cell)
