"""The rows of an OpenDocument table, merged and repeated cells included."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from ingest.parse.opendocument_text import ATTRIBUTE, plain_text, tag_of

# A sheet is filled up with repeats to its last row and column, and hostile ones may claim more.
_MOST_REPEATS = 200
_MOST_COLUMNS = 2_000
_MOST_REPEATED_CELLS = 50_000
_LONGEST_REPEATED = 2_000  # characters; a longer cell stands in its first place alone

_TABLE = f"{{{ATTRIBUTE['table']}}}"


def table_rows(table: Any) -> Iterator[list[str]]:
    """The texts of the cells; a merged cell stands in every place it covers."""
    above: list[str] = []
    extra = 0
    for row in table.iter(f"{_TABLE}table-row"):
        if _table_of(row) is not table:
            continue
        cells = _cells(row, above, repeats=extra < _MOST_REPEATED_CELLS)
        times = repeated(row.get(f"{_TABLE}number-rows-repeated", "1"))
        if extra + times * len(cells) > _MOST_REPEATED_CELLS or max(map(len, cells), default=0) > _LONGEST_REPEATED:
            times = 1
        extra += times * len(cells) - len(row)
        for _ in range(times):
            yield cells
        above = cells


def repeated(stated: str, *, limit: int = _MOST_REPEATS) -> int:
    """A count of an attribute, from 1 up to a limit."""
    return min(max(int(stated), 1), limit) if stated.isdecimal() and len(stated) < 10 else 1


def _cells(row: Any, above: list[str], *, repeats: bool) -> list[str]:
    texts: list[str] = []
    spanning = ""
    for cell in row:
        times = repeated(cell.get(f"{_TABLE}number-columns-repeated", "1"), limit=_MOST_COLUMNS)
        if tag_of(cell) == "table:table-cell":
            text = _text(cell)
            again = text if repeats and len(text) <= _LONGEST_REPEATED else ""
            spanning = again if cell.get(f"{_TABLE}number-columns-spanned", "1") != "1" else ""
            texts += [text, *[again] * (min(times, _MOST_REPEATS if text else _MOST_COLUMNS) - 1)]
        elif tag_of(cell) == "table:covered-table-cell":
            upper = [text if len(text) <= _LONGEST_REPEATED else "" for text in above[len(texts) : len(texts) + times]]
            texts += [spanning or up for up, _ in zip_longest(upper, range(times), fillvalue="")] if repeats else []
        if len(texts) >= _MOST_COLUMNS:
            break
    return texts if any(texts) else []


def _text(cell: Any) -> str:
    return plain_text(cell) or cell.get(f"{{{ATTRIBUTE['office']}}}value", "")


def _table_of(row: Any) -> Any:
    return next(row.iterancestors(f"{_TABLE}table"))
