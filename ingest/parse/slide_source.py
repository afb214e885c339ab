"""The slides of a presentation rewritten: merged cells repeat their text in each place they cover."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from ingest.parse.package import Package, xml_root

_SLIDE = re.compile(r"ppt/slides/slide\d+\.xml")
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_LONGEST_REPEATED = 500  # characters
_YES = ("1", "true")


def without_merges(package: Package, parts: dict[str, bytes]) -> dict[str, bytes]:
    """`parts` with those slides that have merged cells."""
    from lxml import etree

    found = {name: parts.get(name) or package.read(name) for name in package if _SLIDE.fullmatch(name)}
    merged = {name: xml_root(source) for name, source in found.items() if b"Merge=" in source}
    for root in merged.values():
        for table in root.iter(f"{_A}tbl"):
            _fill(table)
    return {**parts, **{name: etree.tostring(root, encoding="UTF-8") for name, root in merged.items()}}


def _fill(table: Any) -> None:
    above: list[Any] = []
    for row in table.findall(f"{_A}tr"):
        cells = row.findall(f"{_A}tc")
        for column, cell in enumerate(cells):
            if cell.get("vMerge") in _YES and column < len(above):
                _copy_text(above[column], cell)
            elif cell.get("hMerge") in _YES and column:
                _copy_text(cells[column - 1], cell)
        above = cells


def _copy_text(source: Any, target: Any) -> None:
    text, old = source.find(f"{_A}txBody"), target.find(f"{_A}txBody")
    if text is not None and old is not None and sum(map(len, text.itertext())) <= _LONGEST_REPEATED:
        target.replace(old, deepcopy(text))
    for name in ("hMerge", "vMerge"):
        target.attrib.pop(name, None)
