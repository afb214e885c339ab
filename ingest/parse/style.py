"""How a document is set: its running lines, the size of its text and of its headings, judged from its first pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingest.parse.fragments import Fragment

Key = tuple[str, int]

_SAME_SIZE = 1.05
_RUNNING_LINES = 6  # more than these are pages that are alike, not headers and footers
_KEPT = 0.5  # of the text, at least; else the pages are alike too
_HEADLINE = 1.3  # times the height of the running text: larger than headers and footers are set
LARGER = 1.12  # times that height: a heading
_MARGIN_SHARE = 0.12  # of the page's text height, at its top and bottom, where running lines stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The headers and footers of a document."""

    keys: frozenset[Key]
    body: float

    def removed_from(self, page: Sequence[Fragment]) -> list[Fragment]:
        """The page without them."""
        return [line for line in page if _running_key(line, self.body) not in self.keys]


def running_lines(pages: Sequence[Sequence[Fragment]]) -> Running:
    """The lines that stand at the top or bottom of most of the pages, page numbers aside."""
    body = body_height([line for page in pages for line in page])
    seen = Counter(key for page in pages for key in {_running_key(line, body) for line in _marginal(page)})
    often = max(2, sum(bool(page) for page in pages) // 2)
    keys = frozenset(key for key, count in seen.items() if count >= often)
    found = Running(keys=keys, body=body)
    kept = sum(_chars(found.removed_from(page)) for page in pages)
    are_alike = len(keys) > _RUNNING_LINES or kept < _KEPT * sum(map(_chars, pages))
    return Running(keys=frozenset(), body=body) if are_alike else found


def _chars(page: Iterable[Fragment]) -> int:
    return sum(len(line.text) for line in page)


def body_height(lines: Sequence[Fragment]) -> float:
    """The line height most characters have."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size * 2) / 2] += len(line.text)
    return max(sizes.most_common(1)[0][0], 1.0) if sizes else 1.0


def usual_gap(lines: Sequence[Fragment]) -> float:
    """The usual distance between lines that follow each other on a page."""
    gaps = [(above.bottom - below.top, above.size) for above, below in pairwise(lines) if above.page == below.page]
    return median([gap for gap, height in gaps if abs(gap) < 2 * height] or [0.0])


def heading_sizes(sizes: Iterable[float]) -> tuple[float, ...]:
    """The distinct type sizes of the headings, largest first."""
    distinct: list[float] = []
    for size in sorted(sizes, reverse=True):
        if not distinct or size * _SAME_SIZE < distinct[-1]:
            distinct.append(size)
    return tuple(distinct)


def _marginal(page: Sequence[Fragment]) -> list[Fragment]:
    if not page:
        return []
    top, bottom = max(line.top for line in page), min(line.bottom for line in page)
    depth = _MARGIN_SHARE * (top - bottom)
    return [line for line in page if line.bottom > top - depth or line.top < bottom + depth]


def _running_key(line: Fragment, body: float) -> Key:
    # A line in far larger type whose number changes is a heading: "Chapter 3".
    text = line.text if line.size > _HEADLINE * body else re.sub(r"\d+", "#", line.text)
    return text, round(line.bottom / 3)
