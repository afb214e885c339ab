"""PPT files of PowerPoint 97-2003: slides with titles, texts and notes. Names as in MS-PPT."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ingest.parse.compound import compound, stated_title
from ingest.parse.elements import Element, Parsed
from ingest.parse.powerpoint97_file import Record, Slide, Text, slides
from rag.errors import DocumentError

__all__ = ["parse_powerpoint97"]

_ENCRYPTED = 0xF3D1C4DF
_TITLES, _BODY = (0, 6), 1


def parse_powerpoint97(data: bytes) -> Parsed:
    """Each slide a page, its title a heading, then its texts and its notes."""
    with compound(data) as file:
        title = stated_title(file)
        stream = file.openstream("PowerPoint Document").read()
        _, mark, edit = struct.unpack_from("<III", file.openstream("Current User").read(), 8)
    if mark == _ENCRYPTED:
        raise DocumentError("it is encrypted", expected="a file without a password", remedy="save it without one")
    found = slides(Record.whole(stream), edit)
    return Parsed(
        title=title, elements=tuple(element for page, slide in enumerate(found, 1) for element in _slide(slide, page))
    )


def _slide(slide: Slide, page: int) -> Iterator[Element]:
    for text in slide.texts:
        if text.kind in _TITLES:
            yield Element(kind="title", text=" ".join(text.text.split()), page=page, level=1)
    for text in slide.texts:
        if text.kind not in _TITLES:
            yield _element(text, page)
    for text in slide.notes:
        yield Element(kind="text", text=text.text, page=page)


def _element(text: Text, page: int) -> Element:
    lines = [line for line in text.text.split("\n") if line.strip()]
    if text.kind == _BODY and len(lines) > 1:
        return Element(kind="list", text="\n".join(f"- {line}" for line in lines), page=page)
    return Element(kind="text", text="\n".join(lines), page=page)
