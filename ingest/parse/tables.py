"""Rows of cells become lines that can be read and quoted alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

Row = Sequence[str]

# Amounts, dates, times, percentages: what stands in the body of a table, not in its header.
_VALUE = re.compile(r"[-+(]?[€$£]?\s?\d[\d.,:/\s-]*\s?%?\)?")

_NAME_CHARS = 100


def table_text(rows: Sequence[Row]) -> str:
    """One line a row, 'Header: value; Header: value', the header taken from the first row if it looks like one.

    Empty cells are left out. A caption above the header, alone in its row, is a line of its own.
    Without a header, and for a table of one row, the values stand alone.
    """
    cleaned = [[" ".join(cell.split()) for cell in row] for row in rows]
    filled = [row for row in cleaned if any(row)]
    captions = list(takewhile(lambda row: sum(map(bool, row)) == 1 < len(row), filled))
    body = filled[len(captions) :]
    if len(body) < 2 or not _is_header(body[0]):
        return "\n".join(_line((), row) for row in filled)
    return "\n".join([_line((), row) for row in captions] + [_line(body[0], row) for row in body[1:]])


def _is_header(row: Row) -> bool:
    named = [cell for cell in row if cell]
    return len(named) > 1 and all(_is_name(cell) for cell in named)


def _is_name(cell: str) -> bool:
    is_year = re.fullmatch(r"(19|20)\d\d", cell)
    return len(cell) <= _NAME_CHARS and bool(is_year or not _VALUE.fullmatch(cell))


def _line(header: Row, row: Row) -> str:
    names = [*header, *[""] * (len(row) - len(header))]
    pairs = zip(names, row, strict=False)
    return "; ".join(f"{name}: {value}" if name else value for name, value in pairs if value)
