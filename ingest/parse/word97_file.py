"""The structures of a DOC file: pieces of text and the properties of paragraphs. Names as in MS-DOC."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from rag.errors import DocumentError

_WORD, _WORD97 = 0xA5EC, 0xC1
_ENCRYPTED, _TABLE_1 = 0x0100, 0x0200
_COUNTS, _PAPX, _CLX = 0x4C, 0x102, 0x1A2  # places in the file information block
_PAGE = 512
_PARAGRAPH = re.compile(r"[^\r\x07\x0c]*[\r\x07\x0c]|[^\r\x07\x0c]+")
_IN_TABLE, _ROW_END, _LIST, _OUTLINE = 0x2416, 0x2417, 0x460B, 0x2640
_SIZES = (1, 1, 2, 4, 2, 2, 0, 3)  # of a property's operand, by its three highest bits
_TABLE_DEFINITION = 0xD608  # alone has a size of two bytes
_BODY_LEVEL = 9
_MARKS = "\r\x07\x0c"
_NARROW = 0x40000000
_ENCODINGS = {1: "cp1252", 2: "utf-16-le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A paragraph with its end mark; `style` is the number of its style, `outline` its level from 0 if it has one."""

    text: str
    style: int
    properties: Mapping[int, int]

    @property
    def in_table(self) -> bool:
        """Whether it is (a part of) a cell."""
        return bool(self.properties.get(_IN_TABLE))

    @property
    def ends_row(self) -> bool:
        """Whether it is the mark behind the last cell of a row."""
        return bool(self.properties.get(_ROW_END))

    @property
    def is_item(self) -> bool:
        """Whether it belongs to a list."""
        return bool(self.properties.get(_LIST))

    @property
    def outline(self) -> int | None:
        """The level of a paragraph that was made a heading without a style."""
        level = self.properties.get(_OUTLINE, _BODY_LEVEL)
        return level if level < _BODY_LEVEL else None


class Word97:
    """The streams of a DOC file; raises DocumentError for one that is older or encrypted."""

    def __init__(self, file: Any) -> None:
        """Read the piece table and the paragraphs' properties."""
        self._stream: bytes = file.openstream("WordDocument").read()
        mark, version, flags = struct.unpack_from("<HH6xH", self._stream)
        _refuse_unreadable(mark, version, flags)
        self._table: bytes = file.openstream("1Table" if flags & _TABLE_1 else "0Table").read()
        self._styles = sorted(self._paragraph_properties())

    def paragraphs(self) -> Iterator[Paragraph]:
        """Those of the text, the foot- and endnotes and the text boxes, in this order."""
        counts = struct.unpack_from("<8i", self._stream, _COUNTS)
        ends = list(accumulate(max(count, 0) for count in counts))
        aside = [(ends[1], ends[2]), (ends[3], ends[4]), (ends[6], ends[7])]  # headers, remarks, boxes in headers
        starts = [start for start, _, _ in self._styles]
        for place, text, offset in self._texts():
            if place < ends[7] and not any(start <= place < end for start, end in aside):
                found = bisect_right(starts, offset) - 1
                _, style, properties = self._styles[found] if found >= 0 else (0, 0, b"")
                yield Paragraph(text=text, style=style, properties=dict(_properties(properties)))

    def _texts(self) -> Iterator[tuple[int, str, int]]:
        """Each paragraph's first character, its text, and where its mark lies in the stream."""
        held, start = "", 0
        for first, offset, width, text in self._pieces():
            read = 0
            for part in _PARAGRAPH.findall(text):
                start, held = (start if held else first + read), held + part
                # Characters beyond the first plane take two places.
                read += len(part.encode("utf-16-le", errors="surrogatepass")) // 2
                if part[-1] in _MARKS:
                    yield start, held, offset + (read - 1) * width
                    held = ""
        if held:
            yield start, held, 0

    def _pieces(self) -> Iterator[tuple[int, int, int, str]]:
        """First character, place in the stream, bytes a character and text of each piece."""
        plain = self._piece_table()
        count = (len(plain) - 4) // 12
        places = struct.unpack_from(f"<{count + 1}i", plain)
        left = 2 * len(self._stream)
        for number, (first, end) in enumerate(pairwise(places)):
            (stated,) = struct.unpack_from("<I", plain, 4 * (count + 1) + 8 * number + 2)
            width = 1 if stated & _NARROW else 2
            offset = (stated & 0x3FFFFFFF) * width // 2
            size = (end - first) * width
            left -= size
            if size < 0 or left < 0:
                raise _damaged("its pieces of text overlap")
            text = self._stream[offset : offset + size].decode(_ENCODINGS[width], errors="replace")
            yield first, offset, width, text

    def _piece_table(self) -> bytes:
        place, size = struct.unpack_from("<II", self._stream, _CLX)
        clx = self._table[place : place + size]
        at = 0
        while at < len(clx) and clx[at] == 1:
            at += 3 + struct.unpack_from("<H", clx, at + 1)[0]
        if at >= len(clx) or clx[at] != 2:
            raise _damaged("it has no table of its text")
        (size,) = struct.unpack_from("<I", clx, at + 1)
        return clx[at + 5 : at + 5 + size]

    def _paragraph_properties(self) -> Iterator[tuple[int, int, bytes]]:
        """Where paragraphs begin in the stream, their styles and their other properties."""
        place, size = struct.unpack_from("<II", self._stream, _PAPX)
        plain = self._table[place : place + size]
        count = max(len(plain) - 4, 0) // 8
        pages = struct.unpack_from(f"<{count}I", plain, 4 * (count + 1)) if count else ()
        for number in sorted({page & 0x3FFFFF for page in pages}):
            page = self._stream[number * _PAGE : (number + 1) * _PAGE]
            if len(page) == _PAGE:
                yield from _page_properties(page)


def _page_properties(page: bytes) -> Iterator[tuple[int, int, bytes]]:
    count = min(page[-1], 0x1D)
    for number, start in enumerate(struct.unpack_from(f"<{count}I", page)):
        at = 2 * page[4 * (count + 1) + 13 * number]
        if not 0 < at < _PAGE - 4:
            yield start, 0, b""
            continue
        begin, size = (at + 1, 2 * page[at] - 1) if page[at] else (at + 2, 2 * page[at + 1])
        found = page[begin : begin + size]
        yield start, int.from_bytes(found[:2], "little"), found[2:]


def _properties(source: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at + 2 < len(source):
        code = int.from_bytes(source[at : at + 2], "little")
        size = _SIZES[code >> 13]
        at += 2
        if not size:
            wide = 2 if code == _TABLE_DEFINITION else 1
            size = wide + int.from_bytes(source[at : at + wide], "little") - (wide - 1)
        yield code, int.from_bytes(source[at : at + size], "little")
        at += size


def _refuse_unreadable(mark: int, version: int, flags: int) -> None:
    if mark != _WORD or version < _WORD97:
        raise DocumentError("it is older than Word 97", expected="a DOC file of Word 97-2003", remedy="save it as DOCX")
    if flags & _ENCRYPTED:
        raise DocumentError("it is encrypted", expected="a file without a password", remedy="save it without one")


def _damaged(seen: str) -> DocumentError:
    return DocumentError(seen, expected="an intact DOC file", remedy="open it in its program and save it as DOCX")
