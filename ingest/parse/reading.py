"""The order in which the pieces of a page are read, found by their places alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial, reduce
from itertools import chain, pairwise, takewhile
from statistics import median

from ingest.parse.fragments import MOST_PIECES, Fragment

Row = list[Fragment]
Span = tuple[float, float]

_GUTTER = 0.4  # of a line's height: the least room between columns
_COLUMN = 10  # line heights: a narrower column is one of a table
_FILLED = 0.55  # of a column's width: so long are most lines of running text, by their length
_LINES = 3  # in each column


def in_reading_order(page: Sequence[Fragment]) -> list[Fragment]:
    """From top to bottom; where running text stands in columns, these one after the other."""
    rows = _rows(page)
    groups = _groups(rows) if len(page) <= MOST_PIECES else [(rows, [])]
    return [piece for group, gutters in groups for piece in _ordered(group, gutters)]


def _rows(page: Sequence[Fragment]) -> list[Row]:
    """Pieces that stand beside each other, from left to right."""
    rows: list[Row] = []
    for fragment in sorted(page, key=lambda item: -(item.top + item.bottom)):
        if rows and _is_beside(rows[-1][0], fragment):
            rows[-1].append(fragment)
        else:
            rows.append([fragment])
    return [sorted(row, key=lambda item: item.left) for row in rows]


def _is_beside(one: Fragment, other: Fragment) -> bool:
    shared = min(one.top, other.top) - max(one.bottom, other.bottom)
    return shared > 0.5 * min(one.top - one.bottom, other.top - other.bottom)


def _groups(rows: Iterable[Row]) -> Iterator[tuple[list[Row], list[Span]]]:
    """Rows that follow each other and leave the same gutters free, with these gutters."""
    group: list[Row] = []
    gutters: list[Span] = []
    for row in rows:
        kept = _free(gutters, row)
        if kept or not (gutters or _gutters(row)):
            group, gutters = [*group, row], kept
            continue
        # Lines above that begin a column, with nothing beside them yet, belong to the columns.
        above = 0 if gutters else sum(1 for _ in takewhile(partial(_free, _gutters(row)), reversed(group)))
        cut = len(group) - above
        if cut:
            yield group[:cut], gutters
        group = [*group[cut:], row]
        gutters = reduce(_free, group[:-1], _gutters(row))
    yield group, gutters


def _gutters(row: Row) -> list[Span]:
    gaps = [(one.right, other.left) for one, other in pairwise(row)]
    return [gap for gap in gaps if _is_wide(gap, row)]


def _free(gutters: Sequence[Span], row: Row) -> list[Span]:
    """What a row leaves of the gutters."""
    for piece in row:
        gutters = [_beside(gutter, piece) for gutter in gutters]
    return [gutter for gutter in gutters if _is_wide(gutter, row)]


def _beside(gutter: Span, piece: Fragment) -> Span:
    left, right = gutter
    if piece.right <= left or piece.left >= right:
        return gutter
    return (max(left, piece.right), right) if piece.left <= left else (left, min(right, piece.left))


def _is_wide(gap: Span, row: Row) -> bool:
    return gap[1] - gap[0] >= _GUTTER * min(piece.size for piece in row)


def _ordered(rows: Sequence[Row], gutters: Sequence[Span]) -> Iterator[Fragment]:
    columns = _columns(rows, gutters)
    if len(columns) > 1 and all(_is_running_text(column) for column in columns):
        rows = columns
    return chain.from_iterable(rows)


def _columns(rows: Sequence[Row], gutters: Sequence[Span]) -> list[Row]:
    columns: list[Row] = [[] for _ in range(len(gutters) + 1)]
    for piece in chain.from_iterable(rows):
        columns[sum(piece.left >= right for _, right in gutters)].append(piece)
    return columns


def _is_running_text(column: Sequence[Fragment]) -> bool:
    if len(column) < _LINES:
        return False
    width = max(piece.right for piece in column) - min(piece.left for piece in column)
    lengths = [piece.right - piece.left for piece in column]
    filled = sum(length for length in lengths if length > _FILLED * width)
    return width > _COLUMN * median(piece.size for piece in column) and filled > 0.5 * sum(lengths)
