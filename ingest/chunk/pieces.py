"""Pieces of text that can be taken apart: groups, elements, lines, sentences, words, characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ingest.parse import Element
from rag.sentences import sentences
from rag.types import Box

_LEAD_CHARS = 200
_WORDS_IN_A_RUN = 8  # counted together, for speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Text that stays together where it fits; `before` stands between it and a piece before it.

    `parts` are the elements of a group; a piece without parts is taken apart by its own text. `boxes` are the places of
    the elements it comes from.
    """

    text: str
    page: int | None
    before: str = "\n"
    parts: tuple[Piece, ...] = ()
    boxes: tuple[Box, ...] = ()


def grouped(elements: Sequence[Element]) -> Iterator[Piece]:
    """One piece an element; a lead-in and what it leads to on the same page are one piece."""
    leads: list[Piece] = []
    for element in elements:
        if leads and leads[-1].page != element.page:
            yield _group(leads)
            leads = []
        boxes = (element.box,) if element.box else ()
        leads.append(Piece(text=element.text.strip(), page=element.page, boxes=boxes))
        if not _leads_in(element):
            yield _group(leads)
            leads = []
    if leads:
        yield _group(leads)


def taken_apart(piece: Piece) -> tuple[Piece, ...]:
    """The next smaller pieces; a single character stays itself."""
    if piece.parts:
        return _ungrouped((replace(piece.parts[0], before=piece.before), *piece.parts[1:]))
    for spans_of in (_lines, sentences, _words, _halves):
        if len(spans := spans_of(piece.text)) > 1:
            return _cut(piece, spans)
    return (piece,)


def _leads_in(element: Element) -> bool:
    """True for a short line without an end: a caption, 'You need:', a heading that is no heading."""
    is_line = element.kind in ("text", "list") and "\n" not in element.text.strip()
    return is_line and len(element.text) <= _LEAD_CHARS and element.text.rstrip()[-1] not in ".!?。！？"


def _group(pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    text = "\n".join(piece.text for piece in pieces)
    boxes = tuple(box for piece in pieces for box in piece.boxes)
    return Piece(text=text, page=pieces[0].page, parts=tuple(pieces), boxes=boxes)


def _ungrouped(parts: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """The lead-ins but the last alone, the last with the beginning of what it leads to."""
    *before, lead, body = parts
    first, *rest = taken_apart(body)
    if not (before or rest):
        return lead, body
    return (*before, replace(_group((lead, first)), before=lead.before), *rest)


def _cut(piece: Piece, spans: Sequence[tuple[int, int]]) -> tuple[Piece, ...]:
    betweens = (piece.text[end:begin] for (_, end), (begin, _) in pairwise(spans))
    befores = [piece.before, *("\n" if "\n" in between else " " if between else "" for between in betweens)]
    return tuple(
        replace(piece, text=piece.text[begin:end], before=before)
        for (begin, end), before in zip(spans, befores, strict=True)
    )


def _lines(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"^[^\S\n]*+\S[^\n]*", text, re.MULTILINE)]


def _words(text: str) -> list[tuple[int, int]]:
    words = [match.span() for match in re.finditer(r"\S+", text)]
    step = _WORDS_IN_A_RUN if len(words) > _WORDS_IN_A_RUN else 1
    return [(run[0][0], run[-1][1]) for run in (words[at : at + step] for at in range(0, len(words), step))]


def _halves(text: str) -> list[tuple[int, int]]:
    middle = len(text) // 2
    return [(0, middle), (middle, len(text))] if middle else [(0, len(text))]
