"""Formulas of Office documents in one line: a/b, x^2, sqrt(x)."""

from __future__ import annotations

from typing import Any

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def linear(node: Any) -> str:
    """The text of a formula, or of a part of it."""
    name = _name(node)
    if name == "t":
        return node.text or ""
    if name in ("sSup", "sSub", "sSubSup", "nary"):
        scripts = _script("_", _part(node, "sub")) + _script("^", _part(node, "sup"))
        return f"{_sign(node)}{scripts} {_part(node, 'e')}" if name == "nary" else _part(node, "e") + scripts
    return _built(node, name)


def _built(node: Any, name: str) -> str:
    parts = [linear(part) for part in node if isinstance(part.tag, str)]
    match name:
        case "f":
            return f"{_grouped(node, 'num')}/{_grouped(node, 'den')}"
        case "rad":
            return f"sqrt({_part(node, 'e')})"
        case "d":
            return f"({', '.join(filter(None, parts))})"
        case "func" | "limLow" | "limUpp":
            return " ".join(filter(None, parts))
        case "m" | "eqArr":
            return "; ".join(filter(None, parts))
    return "".join(parts)


def _name(node: Any) -> str:
    return node.tag.removeprefix(_M) if isinstance(node.tag, str) else ""


def _part(node: Any, name: str) -> str:
    found = node.find(f"{_M}{name}")
    return "" if found is None else linear(found)


def _grouped(node: Any, name: str) -> str:
    text = _part(node, name)
    return text if text.isalnum() else f"({text})"


def _script(mark: str, text: str) -> str:
    return "" if not text else f"{mark}{text}" if text.isalnum() else f"{mark}({text})"


def _sign(node: Any) -> str:
    found = node.find(f"{_M}naryPr/{_M}chr")
    return "∫" if found is None else found.get(f"{_M}val", "∫")
