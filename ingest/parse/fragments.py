"""Pieces of text with their places on a page."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.types import Box

# On a page with more of them no tables and columns are looked for: that takes the square of their number.
MOST_PIECES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A piece of a line without wide gaps, with its place in a system in which the page's text reads to the right.

    `size` is the line height of the type that most of it is set in: the place may be higher, for a formula.
    `box` is the place on the page as it is shown, in points from its lower left corner.
    """

    text: str
    page: int
    left: float
    right: float
    bottom: float
    top: float
    size: float
    bold: bool
    box: Box


def enclosing(boxes: Sequence[Box]) -> Box:
    """The smallest box around some of one page."""
    left, bottom, right, top = zip(*boxes, strict=True)
    return min(left), min(bottom), max(right), max(top)


def box_of(fragments: Iterable[Fragment]) -> Box | None:
    """The box around fragments of one page, in tenths of a point; None without fragments.

    None too where a damaged page puts them nowhere: no store takes such a number.
    """
    boxes = [part.box for part in fragments]
    if not boxes or not all(math.isfinite(side) for box in boxes for side in box):
        return None
    left, bottom, right, top = enclosing(boxes)
    return round(left, 1), round(bottom, 1), round(right, 1), round(top, 1)


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
        box=enclosing([part.box for part in parts]),
    )


def joined_lines(lines: Sequence[str]) -> str:
    """Lines of a paragraph as one text, words parted at a line's end made whole again."""
    text = "\n".join(line.strip() for line in lines)
    return re.sub(r"(?<=[^\W\d_])-\n(?=[^\W\d_])", _mended, text).replace("\n", " ")


def _mended(match: re.Match[str]) -> str:
    # Before a capital the hyphen is the word's own: "North-\nSouth".
    return "-" if match.string[match.end()].isupper() else ""
