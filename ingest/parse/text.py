"""Plain text: wrapped lines to paragraphs, lists and headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from ingest.parse.elements import Element, Parsed
from ingest.parse.encoding import lines

BULLET = re.compile(r"\s*(?:[-*+•◦▪●‣–·]|\(?(?:\d{1,3}|[a-zA-Z])[.)])\s+\S")

_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+\S")
_UNDERLINE = re.compile(r"\s*(={3,}|-{3,}|~{3,})\s*")
_HEADING_CHARS = 80
_WIDEST_WRAP = 100
_RAGGED_CHARS = 4  # programs and people don't fill every line to the last column
_BLOCK_LINES = 500
_BLOCK_CHARS = 100_000


def parse_text(data: bytes) -> Parsed:
    """Paragraphs, lists and guessed headings of a plain text file, read on while they are taken."""
    return Parsed(title="", elements=_read_on(data, _usual_width(lines(data))))


def unwrap(text: str) -> str:
    """Join the lines of paragraphs that were wrapped at a width; keep deliberate line breaks."""
    width = _usual_width(text.splitlines())
    return "\n\n".join("\n".join(_unwrapped(block, width)) for block in _blocks(text.split("\n")))


def _read_on(data: bytes, width: int) -> Iterator[Element]:
    for number, block in enumerate(_blocks(lines(data))):
        yield from _elements(block, number == 0, width)


def _blocks(source: Iterable[str]) -> Iterator[list[str]]:
    """Runs of lines between blank lines, none longer than some hundred lines."""
    block: list[str] = []
    size = 0
    for line in (line.expandtabs(4).rstrip() for line in source):
        if block and (not line or len(block) == _BLOCK_LINES or size + len(line) > _BLOCK_CHARS):
            yield block
            block, size = [], 0
        if line:
            block.append(line)
            size += len(line)
    if block:
        yield block


def _usual_width(source: Iterable[str]) -> int:
    """The width at which the text seems to be wrapped: nine tenths of the lines are no longer."""
    lengths = Counter(min(len(line), _WIDEST_WRAP) for line in source if line.strip())
    rank, seen = lengths.total() * 9 // 10, 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen > rank:
            return length
    return 0


def _elements(block: list[str], is_first: bool, width: int) -> Iterator[Element]:
    heading = _heading(block, is_first)
    if heading:
        level, used = heading
        yield Element(kind="title", text=block[0].strip(), level=level)
        block = block[used:]
    if block:
        is_list = sum(bool(BULLET.match(line)) for line in block) >= 2 or bool(BULLET.match(block[0]))
        yield Element(kind="list" if is_list else "text", text="\n".join(_unwrapped(block, width)))


def _heading(block: list[str], is_first: bool) -> tuple[int, int] | None:
    """The level of the heading that opens the block, and how many lines it takes."""
    line = block[0].strip()
    if len(line) > _HEADING_CHARS or line[-1] in ".,;:!?" or (BULLET.match(line) and len(block) > 1):
        return None
    if len(block) > 1 and (under := _UNDERLINE.fullmatch(block[1])):
        return (1 if under.group(1)[0] == "=" else 2), 2
    if is_first and (line.isupper() or len(block) == 1):
        return 1, 1
    number = _NUMBERED.match(line)
    if number and len(block) == 1:
        return 2 + number.group(1).count("."), 1
    return (2, 1) if line.isupper() and len(line) > 2 and not re.search(r"\s{3,}|\|", line) else None


def _unwrapped(block: list[str], usual_width: int) -> list[str]:
    width = max(usual_width, *(len(line) for line in block))
    item_indents = {_indent(a) for a, b in pairwise(block) if _indent(b) > _indent(a)}
    joined = [block[0]]
    for previous, line in pairwise(block):
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
