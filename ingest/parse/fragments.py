"""Pieces of text with their places on a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A piece of a line without wide gaps; places in points from the lower left corner of the page.

    `size` is the line height of the type that most of it is set in: the box may be higher, for a formula.
    """

    text: str
    page: int
    left: float
    right: float
    bottom: float
    top: float
    size: float
    bold: bool


def side_by_side(parts: Sequence[Fragment]) -> Fragment:
    """The parts of one line as one fragment."""
    return Fragment(
        text=" ".join(part.text for part in parts),
        page=parts[0].page,
        left=min(part.left for part in parts),
        right=max(part.right for part in parts),
        bottom=min(part.bottom for part in parts),
        top=max(part.top for part in parts),
        size=max(parts, key=lambda part: len(part.text)).size,
        bold=all(part.bold for part in parts),
    )


def joined_lines(lines: Sequence[str]) -> str:
    """Lines of a paragraph as one text, words parted at a line's end made whole again."""
    text = "\n".join(line.strip() for line in lines)
    return re.sub(r"(?<=[^\W\d_])-\n(?=[^\W\d_])", _mended, text).replace("\n", " ")


def _mended(match: re.Match[str]) -> str:
    # Before a capital the hyphen is the word's own: "North-\nSouth".
    return "-" if match.string[match.end()].isupper() else ""
