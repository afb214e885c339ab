"""Plain text: bytes to characters, and wrapped lines to paragraphs, lists and headings."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import groupby, pairwise

from ingest.parse.elements import Element, Parsed
from rag.errors import DocumentError

BULLET = re.compile(r"\s*(?:[-*+•◦▪●‣–·]|\(?(?:\d{1,3}|[a-zA-Z])[.)])\s+\S")

_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+\S")
_UNDERLINE = re.compile(r"\s*(={3,}|-{3,}|~{3,})\s*")
_HEADING_CHARS = 80
_WIDEST_WRAP = 100
_RAGGED_CHARS = 4  # programs and people don't fill every line to the last column
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def parse_text(data: bytes) -> Parsed:
    """Paragraphs, lists and guessed headings of a plain text file."""
    text = decode(data)
    width, blocks = _usual_width(text), _blocks(text)
    found = (element for block in blocks for element in _elements(block, block is blocks[0], width))
    return Parsed(title="", elements=tuple(found))


def decode(data: bytes) -> str:
    """Text from UTF-8, from UTF-16 or UTF-32 with a byte order mark, else from Western single bytes.

    Line ends become newlines. Raises DocumentError for bytes that are no text.
    """
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    if encoding is None and b"\0" in data:
        raise DocumentError(
            "the file holds zero bytes", expected="text", remedy="save it as UTF-8 text, or give it its true extension"
        )
    text = data.decode(encoding, errors="replace") if encoding else _decode_unmarked(data)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").replace("\0", "")


def unwrap(text: str) -> str:
    """Join the lines of paragraphs that were wrapped at a width; keep deliberate line breaks."""
    width = _usual_width(text)
    return "\n\n".join("\n".join(_unwrapped(block, width)) for block in _blocks(text))


def _blocks(text: str) -> list[list[str]]:
    """Runs of lines between blank lines."""
    lines = (line.expandtabs(4).rstrip() for line in text.split("\n"))
    return [list(run) for filled, run in groupby(lines, key=bool) if filled]


def _usual_width(text: str) -> int:
    """The width at which the text seems to be wrapped."""
    lengths = sorted(len(line) for line in text.splitlines() if line.strip())
    return min(lengths[len(lengths) * 9 // 10], _WIDEST_WRAP) if lengths else 0


def _decode_unmarked(data: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _elements(lines: list[str], is_first: bool, width: int) -> Iterator[Element]:
    heading = _heading(lines, is_first)
    if heading:
        level, used = heading
        yield Element(kind="title", text=lines[0].strip(), level=level)
        lines = lines[used:]
    if lines:
        is_list = sum(bool(BULLET.match(line)) for line in lines) >= 2 or bool(BULLET.match(lines[0]))
        yield Element(kind="list" if is_list else "text", text="\n".join(_unwrapped(lines, width)))


def _heading(lines: list[str], is_first: bool) -> tuple[int, int] | None:
    """The level of the heading that opens the block, and how many lines it takes."""
    line = lines[0].strip()
    if len(line) > _HEADING_CHARS or line[-1] in ".,;:!?" or (BULLET.match(line) and len(lines) > 1):
        return None
    if len(lines) > 1 and (under := _UNDERLINE.fullmatch(lines[1])):
        return (1 if under.group(1)[0] == "=" else 2), 2
    if is_first and (line.isupper() or len(lines) == 1):
        return 1, 1
    number = _NUMBERED.match(line)
    if number and len(lines) == 1:
        return 2 + number.group(1).count("."), 1
    return (2, 1) if line.isupper() and len(line) > 2 and not re.search(r"\s{3,}|\|", line) else None


def _unwrapped(lines: list[str], usual_width: int) -> list[str]:
    width = max(usual_width, *(len(line) for line in lines))
    item_indents = {_indent(a) for a, b in pairwise(lines) if _indent(b) > _indent(a)}
    joined = [lines[0]]
    for previous, line in pairwise(lines):
        if _is_deliberate(previous, line, width) or _indent(line) in item_indents:
            joined.append(line)
        else:
            joined[-1] = f"{joined[-1]} {line.strip()}"
    return _dedented(joined)


def _is_deliberate(previous: str, line: str, width: int) -> bool:
    """True when the line break is no wrapping: the next word would have fitted, or an item begins."""
    room = width - len(previous) - _RAGGED_CHARS
    return bool(BULLET.match(line)) or room >= len(line.split(maxsplit=1)[0]) or _indent(line) < _indent(previous)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _dedented(lines: list[str]) -> list[str]:
    margin = min((_indent(line) for line in lines), default=0)
    return [line[margin:] for line in lines]
