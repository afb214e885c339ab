"""The charts of an Office file as tables: a row for each category, a column for each series."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from ingest.parse.elements import Element
from ingest.parse.package import Package, xml_root
from ingest.parse.tables import table_text

_PART = re.compile(r"(?:word|ppt|xl)/charts/chart\d*\.xml")
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_MOST_SERIES = 50


def chart_elements(package: Package) -> Iterator[Element]:
    """The title of each chart and the values that it shows, as they were when the file was saved."""
    for name in package:
        if _PART.fullmatch(name):
            root = xml_root(package.read(name), recover=True)
            yield Element(kind="text", text=_title(root))
            yield Element(kind="table", text=table_text(_rows(root)))


def _title(root: Any) -> str:
    found = root.find(f"{_C}chart/{_C}title")
    return "" if found is None else " ".join("".join(part.text or "" for part in found.iter(f"{_A}t")).split())


def _rows(root: Any) -> list[list[str]]:
    series = list(root.iter(f"{_C}ser"))[:_MOST_SERIES]
    if not series:
        return []
    names = [" ".join(_values(one.find(f"{_C}tx"))) or f"Series {number}" for number, one in enumerate(series, 1)]
    categories = _values(_first(series[0], "cat", "xVal"))
    columns = [_values(_first(one, "val", "yVal")) for one in series]
    return [["Category", *names], *(list(row) for row in zip_longest(categories, *columns, fillvalue=""))]


def _first(node: Any, *names: str) -> Any:
    return next((found for name in names if (found := node.find(f"{_C}{name}")) is not None), None)


def _values(node: Any) -> list[str]:
    points = [] if node is None else list(node.iter(f"{_C}pt"))
    return [_number("".join(value.text or "" for value in point.iter(f"{_C}v"))) for point in points]


def _number(text: str) -> str:
    # 0.1 + 0.2 is kept as 0.30000000000000004.
    return f"{float(text):.12g}" if re.fullmatch(r"-?\d{1,15}\.\d{10,20}", text) else text
