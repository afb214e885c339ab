"""A Word document rewritten so that the library that reads it finds all of its text."""

from __future__ import annotations

import re
from typing import Any

from ingest.parse.package import Package, xml_root
from ingest.parse.word_math import linear

_DOCUMENT = "word/document.xml"
_NOTES = {"footnoteReference": "word/footnotes.xml", "endnoteReference": "word/endnotes.xml"}
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_REMOVED = ("del", "moveFrom")
_UNWRAPPED = ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml", "dir", "bdo")
_STRICT = b"http://purl.oclc.org/ooxml/"
_STRICT_PLACE = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")


def transitional(package: Package) -> dict[str, bytes]:
    """The parts of a strict Office file with the names that everyone else uses; none where it is no strict one."""
    if _STRICT not in package.read("_rels/.rels"):
        return {}
    named = (name for name in package if name.endswith((".xml", ".rels")))
    return {
        name: _STRICT_PLACE.sub(rb"http://schemas.openxmlformats.org/\1/2006/", package.read(name)) for name in named
    }


def completed(package: Package, parts: dict[str, bytes]) -> dict[str, bytes]:
    """`parts` with the document's text laid open: content controls, text boxes, insertions, formulas and notes."""
    from lxml import etree

    if _DOCUMENT not in package:
        return parts
    root = xml_root(parts.get(_DOCUMENT) or package.read(_DOCUMENT))
    _choose(root)
    _lay_open_boxes(root)
    _mark_boxes(root)
    _unwrap(root)
    _write_formulas(root)
    _write_notes(root, package, parts)
    return {**parts, _DOCUMENT: etree.tostring(root, encoding="UTF-8", xml_declaration=True, standalone=True)}


def _choose(root: Any) -> None:
    """Keep one of the alternatives in which a drawing is kept for programs of different age."""
    for fallback in list(root.iter(f"{_MC}Fallback")):
        if fallback.getprevious() is not None:
            fallback.getparent().remove(fallback)


def _lay_open_boxes(root: Any) -> None:
    """Move the paragraphs of text boxes behind the paragraph that they hang on."""
    for box in list(root.iter(f"{_W}txbxContent")):
        host = next(box.iterancestors(f"{_W}p"), None)
        if host is not None:
            for block in reversed(box):
                host.addnext(block)


def _mark_boxes(root: Any) -> None:
    for box in root.iter(f"{_W14}checkbox"):
        control = next(box.iterancestors(f"{_W}sdt"), None)
        checked = box.find(f"{_W14}checked")
        is_checked = checked is not None and checked.get(f"{_W14}val") in ("1", "true")
        texts = [] if control is None else list(control.iter(f"{_W}t", f"{_W}sym"))
        for number, text in enumerate(texts):
            text.tag = f"{_W}t"
            text.text = ("[x]" if is_checked else "[ ]") if number == 0 else ""


def _unwrap(root: Any) -> None:
    for name in _REMOVED:
        for node in list(root.iter(f"{_W}{name}")):
            node.getparent().remove(node)
    for name in _UNWRAPPED:
        for node in list(root.iter(f"{_W}{name}")):
            _replace(node, [child for child in node if not str(child.tag).endswith("Pr")])


def _write_formulas(root: Any) -> None:
    for formula in list(root.iter(f"{_M}oMathPara")):
        _replace(formula, list(formula))
    for formula in list(root.iter(f"{_M}oMath")):
        _replace(formula, [_run(formula, linear(formula))])


def _write_notes(root: Any, package: Package, parts: dict[str, bytes]) -> None:
    """Write each foot- or endnote in brackets where it is referred to."""
    for name, part in _NOTES.items():
        if part in package:
            notes = {
                note.get(f"{_W}id"): " ".join("".join(text.text or "" for text in note.iter(f"{_W}t")).split())
                for note in xml_root(parts.get(part) or package.read(part), recover=True)
            }
            for reference in list(root.iter(f"{_W}{name}")):
                if text := notes.pop(reference.get(f"{_W}id"), ""):
                    _replace(reference, list(_run(reference, f" ({text})")))


def _run(node: Any, text: str) -> Any:
    run = node.makeelement(f"{_W}r")
    content = node.makeelement(f"{_W}t", {"{http://www.w3.org/XML/1998/namespace}space": "preserve"})
    content.text = text
    run.append(content)
    return run


def _replace(node: Any, children: list[Any]) -> None:
    parent = node.getparent()
    if parent is not None:
        for child in children:
            node.addprevious(child)
        parent.remove(node)
