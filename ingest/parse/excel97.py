"""XLS workbooks of Excel 97-2003, read with xlrd."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from ingest.parse.elements import Element, Parsed
from ingest.parse.sheets import sheet_elements


def parse_excel97(data: bytes) -> Parsed:
    """A workbook; each sheet a page with its name as a heading of level 2."""
    import xlrd

    with xlrd.open_workbook(file_contents=data, logfile=io.StringIO(), ragged_rows=True, on_demand=True) as book:
        elements = tuple(_sheets(book))
    return Parsed(title="", elements=elements)


def _sheets(book: Any) -> Iterator[Element]:
    for page, name in enumerate(book.sheet_names(), 1):
        sheet = book.sheet_by_name(name)
        yield from sheet_elements(name, page, (_row(book, sheet, row) for row in range(sheet.nrows)))
        book.unload_sheet(name)


def _row(book: Any, sheet: Any, row: int) -> list[str]:
    return [_text(book, cell) for cell in sheet.row(row)]


def _text(book: Any, cell: Any) -> str:
    import xlrd

    match cell.ctype:
        case xlrd.XL_CELL_NUMBER:
            return f"{cell.value:.15g}"
        case xlrd.XL_CELL_DATE:
            return _date(float(cell.value), book.datemode)
        case xlrd.XL_CELL_BOOLEAN:
            return "true" if cell.value else "false"
        case xlrd.XL_CELL_ERROR:
            return str(xlrd.error_text_from_code.get(cell.value, ""))
        case _:
            return str(cell.value)


def _date(value: float, mode: int) -> str:
    import xlrd

    try:
        moment = xlrd.xldate_as_datetime(value, mode)
    except (ValueError, OverflowError):
        return f"{value:.15g}"
    whole: str = moment.isoformat(sep=" ")
    return whole.removesuffix(" 00:00:00") if value >= 1 else whole.partition(" ")[2]
