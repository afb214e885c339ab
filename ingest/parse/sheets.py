"""Sheets of workbooks: their tables, parted by empty rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ingest.parse.elements import Element
from ingest.parse.tables import Row, table_texts


def sheet_elements(name: str, page: int, rows: Iterable[Row]) -> Iterator[Element]:
    """The name of the sheet as a heading of level 2 (it doesn't name the workbook), then its tables."""
    yield Element(kind="title", text=name, page=page, level=2)
    for run in _runs(rows):
        kept = _without_empty_columns(run)
        if len(kept) == 1 and len(kept[0]) == 1:
            yield Element(kind="text", text=kept[0][0], page=page)
        else:
            yield from (Element(kind="table", text=text, page=page) for text in table_texts(kept))


def _runs(rows: Iterable[Row]) -> Iterator[list[Row]]:
    run: list[Row] = []
    for row in rows:
        if any(cell.strip() for cell in row):
            run.append(row)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _without_empty_columns(rows: list[Row]) -> list[Row]:
    used = sorted({column for row in rows for column, cell in enumerate(row) if cell.strip()})
    return [[row[column] if column < len(row) else "" for column in used] for row in rows]
