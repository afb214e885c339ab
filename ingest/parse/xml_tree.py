"""XML: articles and books as prose with headings, anything else as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.parse.elements import Element, Parsed
from ingest.parse.html_table import caption_and_text
from ingest.parse.json_tree import data_elements
from ingest.parse.office import parse_html
from ingest.parse.package import xml_root

_PARAGRAPHS = frozenset("p para simpara".split())
_SECTIONS = frozenset(
    "abstract ack app app-group appendix article article-meta back bibliography body book chapter fn-group glossary"
    " notes part preface ref-list sec sect1 sect2 sect3 sect4 section title-group trans-abstract".split()
)
_HEADINGS = frozenset("title article-title".split())
_LISTS = frozenset("list itemizedlist orderedlist".split())
_APART = frozenset("table-wrap table informaltable fig figure boxed-text".split()) | _LISTS
# Of JATS: what tells about the file and its journal, and formulas told twice.
_ASIDE = frozenset(
    "journal-meta article-id article-categories pub-date history permissions counts custom-meta-group self-uri"
    " object-id tex-math elocation-id volume issue pub-history processing-meta".split()
)


def parse_xml(data: bytes) -> Parsed:
    """An XML file; no entity is expanded and nothing outside of the file is read."""
    root = xml_root(data.lstrip())
    if _name(root) == "html":
        return parse_html(data)
    if not any(map(_is_prose, root.iter())):
        return Parsed(title="", elements=tuple(data_elements({_name(root): _value(root)})))
    elements = _block(root, _name(root), 1) if _is_prose(root) else _blocks(root, 1)
    return Parsed(title=_title(root), elements=tuple(elements))


def _name(node: Any) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def _is_prose(node: Any) -> bool:
    between = [node.text, *(child.tail for child in node)] if len(node) else []
    return _name(node) in _PARAGRAPHS or any(text and text.strip() for text in between)


def _title(root: Any) -> str:
    found = next((node for node in root.iter("{*}article-title", "{*}title")), None)
    return "" if found is None else _text(found)


def _value(node: Any) -> Any:
    """Objects, arrays and texts for elements with others in them, of the same name, and with none."""
    members: dict[str, list[Any]] = {}
    for name, text in node.attrib.items():
        members.setdefault(name.rpartition("}")[2], []).append(text)
    for child in node:
        if name := _name(child):
            members.setdefault(name, []).append(_value(child))
    text = "" if len(node) else _text(node)
    if not members:
        return text
    stated = {name: values[0] if len(values) == 1 else values for name, values in members.items()}
    return {**stated, "text": text} if text else stated


def _blocks(node: Any, level: int) -> Iterator[Element]:
    if _name(node) == "abstract" and not any(_name(child) == "title" for child in node):
        yield Element(kind="title", text="Abstract", level=level)
    for child in node:
        name = _name(child)
        if not name or name in _ASIDE:
            continue
        if name in _HEADINGS and _name(node) in _SECTIONS:
            yield Element(kind="title", text=_text(child), level=level)
        elif name in _SECTIONS:
            yield from _blocks(child, level + (name not in ("body", "back", "article-meta", "title-group")))
        else:
            yield from _block(child, name, level)


def _block(node: Any, name: str, level: int) -> Iterator[Element]:
    if name == "table" and node.find(".//{*}tr") is not None:
        yield from _table(node)
    elif name in _LISTS:
        yield Element(kind="list", text="\n".join(f"- {_text(item)}" for item in node if _name(item) != "title"))
    elif _is_prose(node) or all(not len(child) for child in node):
        yield Element(kind="text", text=_text(node))
        for part in _set_apart(node):
            yield from _block(part, _name(part), level)
    else:
        yield from _blocks(node, level)


def _table(node: Any) -> Iterator[Element]:
    from lxml import etree

    caption, rows = caption_and_text(etree.tostring(node, encoding="unicode", with_tail=False))
    yield Element(kind="text", text=caption)
    yield Element(kind="table", text=rows)


def _set_apart(node: Any) -> Iterator[Any]:
    for child in node:
        if _name(child) in _APART:
            yield child
        else:
            yield from _set_apart(child)


def _text(node: Any) -> str:
    return " ".join("".join(_pieces(node)).split())


def _pieces(node: Any) -> Iterator[str]:
    """The text of a node but for what stands apart in it; parts of a name or address don't run together."""
    is_prose = _is_prose(node)
    yield node.text or ""
    for child in node:
        if _name(child) and _name(child) not in _APART | _ASIDE:
            yield from _pieces(child)
        yield (child.tail or "") if is_prose else " "
