"""A document cut into chunks that follow its headings and fit a number of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from ingest.chunk.packing import Count, fitting, packs
from ingest.chunk.pieces import Piece, grouped
from ingest.chunk.sections import Section, sections
from ingest.parse import Element, Parsed
from rag.types import Chunk, chunk_id

# A longer heading is no context, whatever its tokens, and no more of a title is looked at: counting is dear.
_HEADING_CHARS = 2_000
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
    told: tuple[str, ...] = ()
    for section in sections(elements, title):
        frame, outer = _framed(section, blank, cut)
        # Told once: a long heading above many short sections would make text of many times the document's size.
        told = _shared(told, section.headings)
        untold, told = outer[len(told) :], max(told, outer, key=len)
        for family in _families(section, frame, untold, cut):
            parent = (position, position + len(family) - 1) if len(family) > 1 else None
            for passage in family:
                yield replace(passage, position=position, id=chunk_id(uri, revision, position), parent=parent)
                position += 1


def _shortened(text: str, *, limit: int, count: Count) -> str:
    """The first words of `text` that fit `limit` tokens; '' when not even one does."""
    words = text[:_HEADING_CHARS].split()
    while words and count(" ".join(words)) > limit:
        words = words[: len(words) * 3 // 4]
    return " ".join(words)


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The headings that two paths have in common, outermost first."""
    return tuple(here for here, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _families(section: Section, frame: Chunk, before: Sequence[str], cut: Cut) -> Iterator[list[Chunk]]:
    """The chunks of a section, those of one parent together; without parents each is alone.

    The headings `before` stand in front of the first.
    """
    page = section.elements[0].page
    first = tuple(Piece(text=heading, page=page) for heading in before)
    framed = cut.count(replace(frame, text="\n").indexed_text)
    room = cut.max_tokens - framed
    for group in cut.split(section.elements, room):
        pieces, first = (*first, *grouped(group)), ()
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


def _framed(section: Section, blank: Chunk, cut: Cut) -> tuple[Chunk, tuple[str, ...]]:
    """An empty chunk with the headings that fit half of the tokens, innermost first, and the others."""
    headings: tuple[str, ...] = ()
    limit = cut.count("") + cut.max_tokens // 2
    for heading in reversed(section.headings):
        wider = (heading, *headings)
        # The length first: to count the tokens of a very long heading below each of many sections would take hours.
        if len(heading) > _HEADING_CHARS or cut.count(replace(blank, headings=wider).indexed_text) > limit:
            break
        headings = wider
    return replace(blank, headings=headings), section.headings[: len(section.headings) - len(headings)]
