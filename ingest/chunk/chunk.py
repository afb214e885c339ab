"""A document cut into chunks that follow its headings and fit a number of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.chunk.packing import Count, fitting, packs
from ingest.chunk.pieces import Piece, grouped
from ingest.chunk.sections import Section, sections
from ingest.parse import Element, Parsed
from rag.types import Chunk, chunk_id

# The elements of a section in groups that share no chunk; the number is the room of a chunk in tokens.
Split = Callable[[Sequence[Element], int], Iterable[Sequence[Element]]]


def together(elements: Sequence[Element], _room: int) -> Iterable[Sequence[Element]]:
    """The whole section is packed as it comes: the chunking 'title'."""
    return (elements,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How documents are cut: the longest chunk, counted by `count`, and what may share one.

    With `parent_tokens`, passages are cut out of larger parents, and each knows its own.
    """

    max_tokens: int
    count: Count
    split: Split = together
    parent_tokens: int | None = None


def chunk(parsed: Parsed, *, uri: str, revision: str, cut: Cut) -> Iterator[Chunk]:
    """The chunks of a document, in order, none longer than `cut.max_tokens`.

    None crosses a heading or joins elements of two pages. A chunk's `indexed_text`, context line included, is what must
    fit. Paragraphs, lists and tables stay whole where they fit, then rows and sentences do, then words. Only a single
    character that is itself too long may exceed the limit. Every word of the document is in some chunk.
    """
    title = _shortened(parsed.title, limit=cut.count("") + cut.max_tokens // 4, count=cut.count)
    blank = Chunk(id="", uri=uri, title=title, headings=(), page=None, position=0, text="", revision=revision)
    elements = (element for element in parsed.elements if element.text.strip())
    position = 0
    for section in sections(elements, title):
        for family in _families(section, blank, cut):
            parent = (position, position + len(family) - 1) if len(family) > 1 else None
            for passage in family:
                yield replace(passage, position=position, id=chunk_id(uri, revision, position), parent=parent)
                position += 1


def _shortened(text: str, *, limit: int, count: Count) -> str:
    """The first words of `text` that fit `limit` tokens; '' when not even one does."""
    words = text.split()
    while words and count(" ".join(words)) > limit:
        words = words[: len(words) * 3 // 4]
    return " ".join(words)


def _families(section: Section, blank: Chunk, cut: Cut) -> Iterator[list[Chunk]]:
    """The chunks of a section, those of one parent together; without parents each is alone."""
    frame, before = _framed(section, blank, cut)
    framed = cut.count(replace(frame, text="\n").indexed_text)
    room = cut.max_tokens - framed
    for group in cut.split(section.elements, room):
        pieces, before = (*before, *grouped(group)), ()
        if cut.parent_tokens is None:
            yield from ([passage] for passage in _passages(pieces, frame, room, cut))
            continue
        for parent in packs(pieces, max(cut.parent_tokens - framed, room), _bare(cut.count)):
            yield list(_passages(parent, frame, room, cut))


def _passages(pieces: Sequence[Piece], frame: Chunk, room: int, cut: Cut) -> Iterator[Chunk]:
    for pack in packs(pieces, room, _bare(cut.count)):
        yield from fitting(pack, frame, cut.max_tokens, cut.count)


def _bare(count: Count) -> Count:
    """The tokens of a text without those that frame every text."""
    frame = count("")
    return lambda text: count(text) - frame


def _framed(section: Section, blank: Chunk, cut: Cut) -> tuple[Chunk, tuple[Piece, ...]]:
    """An empty chunk with the headings that fit half of the tokens, innermost first, and the others as text."""
    headings = section.headings
    limit = cut.count("") + cut.max_tokens // 2
    while headings and cut.count(replace(blank, headings=headings).indexed_text) > limit:
        headings = headings[1:]
    outer = section.headings[: len(section.headings) - len(headings)]
    page = section.elements[0].page
    return replace(blank, headings=headings), tuple(Piece(text=heading, page=page) for heading in outer)
