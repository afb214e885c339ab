"""The text of an OpenDocument paragraph, and short names for its tags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ATTRIBUTE = {
    name: f"urn:oasis:names:tc:opendocument:xmlns:{path}:1.0"
    for name, path in {
        "office": "office",
        "text": "text",
        "table": "table",
        "draw": "drawing",
        "presentation": "presentation",
    }.items()
}
_PREFIXES = {place: name for name, place in ATTRIBUTE.items()}
_ASIDE = ("office:annotation", "text:note-citation", "text:ruby-text", "text:tracked-changes", "draw:frame")
_BREAKS = {"text:tab": "\t", "text:line-break": "\n"}
_MOST_SPACES = 100


def tag_of(node: Any) -> str:
    """The tag as 'text:p'; '' for nodes of other namespaces and for what is no element."""
    if not isinstance(node.tag, str):
        return ""
    place, _, name = node.tag.removeprefix("{").rpartition("}")
    return f"{_PREFIXES[place]}:{name}" if place in _PREFIXES else ""


def plain_text(node: Any) -> str:
    """The text of a paragraph with its notes in brackets; frames that hang on it are left out."""
    return "".join(_pieces(node)).strip()


def _pieces(node: Any) -> Iterator[str]:
    yield node.text or ""
    for child in node:
        yield _child_text(child)
        yield child.tail or ""


def _child_text(child: Any) -> str:
    tag = tag_of(child)
    text = "" if tag in _ASIDE or not isinstance(child.tag, str) else "".join(_pieces(child))
    match tag:
        case "text:s":
            count = child.get(f"{{{ATTRIBUTE['text']}}}c", "1")
            return " " * min(int(count), _MOST_SPACES) if count.isdecimal() else " "
        case "text:note":
            return f" ({' '.join(text.split())})"
        case "text:p" | "text:h" | "text:list-item":
            return f"{text.strip()}\n"
    return _BREAKS.get(tag, text)
