"""HTML tables as text, merged cells and captions included."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ingest.parse.tables import table_text

# Browsers bound spans too: a cell may claim to cover a billion places, and every cell may claim it.
_LONGEST_SPAN = 200
_MOST_REPEATS = 50_000
_LONGEST_REPEATED = 2_000  # characters; a longer cell stands in its first place alone


def caption_and_text(source: str) -> tuple[str, str]:
    """The caption of the table in `source`, '' if it has none, and its rows as lines."""
    from lxml import html

    table = html.fragment_fromstring(source, create_parent="div")
    captions = [_text(part) for part in table.iter("caption")]
    return " ".join(captions), table_text(_with_one_header(table.xpath("./table[1]//tr[not(ancestor::td)]")))


def without_spans(page: Any) -> Any:
    """The page with merged cells repeated in each place they cover, because unstructured forgets the spans."""
    copy = deepcopy(page)
    for table in copy.xpath("//table[.//@rowspan or .//@colspan]"):
        rows = table.xpath("./tr | ./thead/tr | ./tbody/tr | ./tfoot/tr")
        for row, cells in zip(rows, _placed(rows), strict=True):
            row[:] = [row.makeelement("td") if cell is None else deepcopy(cell) for cell in cells]
    return copy


def _with_one_header(rows: list[Any]) -> list[list[str]]:
    """The texts of the cells, several header rows merged into one."""
    grid = [["" if cell is None else _text(cell) for cell in row] for row in _placed(rows)]
    depth = next((number for number, row in enumerate(rows) if row.find("./td") is not None), 0)
    if depth < 2:
        return grid
    header = [" ".join(dict.fromkeys(filter(None, column))) for column in zip(*grid[:depth], strict=True)]
    return [header, *grid[depth:]]


def _placed(rows: list[Any]) -> list[list[Any]]:
    """The cells by row and column, all rows of one length; a merged cell stands in every place it covers."""
    places: dict[tuple[int, int], Any] = {}
    repeats = 0
    for number, row in enumerate(rows):
        column = 0
        for cell in row.xpath("./td | ./th"):
            while (number, column) in places:
                column += 1
            wide, high = _spans(cell, rows_left=len(rows) - number) if repeats < _MOST_REPEATS else (1, 1)
            repeats += wide * high - 1
            again = cell if wide * high > 1 and len(_text(cell)) <= _LONGEST_REPEATED else None
            places.update({(number + down, column + right): again for down in range(high) for right in range(wide)})
            places[number, column] = cell
    width = 1 + max((column for _, column in places), default=-1)
    return [[places.get((number, column)) for column in range(width)] for number in range(len(rows))]


def _spans(cell: Any, *, rows_left: int) -> tuple[int, int]:
    return _span(cell, "colspan"), min(_span(cell, "rowspan"), rows_left)


def _span(cell: Any, name: str) -> int:
    stated = cell.get(name, "1").strip()
    return min(max(int(stated), 1), _LONGEST_SPAN) if stated.isdecimal() else 1


def _text(cell: Any) -> str:
    return " ".join(" ".join(cell.itertext()).split())
