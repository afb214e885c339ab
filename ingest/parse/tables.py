"""Rows of cells become lines that can be read and quoted alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, takewhile

Row = Sequence[str]

# Amounts, dates, times, percentages: what stands in the body of a table, not in its header.
_VALUE = re.compile(r"[-+(]?[€$£]?\s?\d[\d.,:/\s-]*\s?%?\)?")

_NAME_CHARS = 100
_HEAD_ROWS = 50  # the caption and the header are among so many rows
_PACK_LINES = 300
_PACK_CHARS = 50_000


def table_text(rows: Iterable[Row]) -> str:
    """One line a row, 'Header: value; Header: value', the header taken from the first row if it looks like one.

    Empty cells are left out. A caption above the header, alone in its row, is a line of its own.
    Without a header, and for a table of one row, the values stand alone.
    """
    return "\n".join(_lines(rows))


def table_texts(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of a long table as texts of a few hundred rows; the rows are read on while these are taken."""
    return packed(_lines(rows))


def record_line(header: Row, row: Row) -> str:
    """One row below a known header."""
    return _line(_cleaned(header), _cleaned(row))


def packed(lines: Iterable[str]) -> Iterator[str]:
    """Lines joined to texts of at most a few hundred lines and some ten thousand characters."""
    pack: list[str] = []
    size = 0
    for line in lines:
        if pack and (len(pack) == _PACK_LINES or size + len(line) > _PACK_CHARS):
            yield "\n".join(pack)
            pack, size = [], 0
        pack.append(line)
        size += len(line)
    if pack:
        yield "\n".join(pack)


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    filled = (row for row in map(_cleaned, rows) if any(row))
    first = list(islice(filled, _HEAD_ROWS))
    captions = list(takewhile(lambda row: sum(map(bool, row)) == 1 < len(row), first))
    body = first[len(captions) :]
    if len(body) < 2 or not _is_header(body[0]):
        return (_line((), row) for row in chain(first, filled))
    below = (_line(body[0], row) for row in chain(body[1:], filled))
    return chain((_line((), row) for row in captions), below)


def _cleaned(row: Row) -> list[str]:
    return [" ".join(cell.split()) for cell in row]


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
