"""Chunks that follow the headings of a document and fit a number of tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.chunk.pieces import Piece, grouped, taken_apart
from ingest.parse import Element, Parsed
from rag.types import Chunk, chunk_id

Count = Callable[[str], int]

_SECTION_ELEMENTS = 500
_CHARS_A_TOKEN = 40  # text with more characters a token than this is taken apart without counting


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    headings: tuple[str, ...]
    elements: tuple[Element, ...]


def chunk(parsed: Parsed, *, uri: str, revision: str, max_tokens: int, count: Callable[[str], int]) -> Iterator[Chunk]:
    """The chunks of a document, in order, none longer than `max_tokens`.

    None crosses a heading or joins elements of two pages.
    `count` gives the tokens of a text; a chunk's `indexed_text`, context line included, is what must fit.
    Paragraphs, lists and tables stay whole where they fit, then rows and sentences do, then words. Only a
    single character that is itself too long may exceed the limit. Every word of the document is in some chunk.
    """
    title = _shortened(parsed.title, limit=count("") + max_tokens // 4, count=count)
    blank = Chunk(id="", uri=uri, title=title, headings=(), page=None, position=0, text="", revision=revision)
    passages = (
        passage
        for section in _sections((element for element in parsed.elements if element.text.strip()), title)
        for passage in _section_chunks(section, blank, max_tokens, count)
    )
    for position, passage in enumerate(passages):
        yield replace(passage, position=position, id=chunk_id(uri, revision, position))


def _shortened(text: str, *, limit: int, count: Count) -> str:
    """The first words of `text` that fit `limit` tokens; '' when not even one does."""
    words = text.split()
    while words and count(" ".join(words)) > limit:
        words = words[: len(words) * 3 // 4]
    return " ".join(words)


def _sections(elements: Iterable[Element], title: str) -> Iterator[_Section]:
    """The elements below each heading; a heading with nothing below it stands for itself.

    A long section comes in several of the same headings, so that no more than a few hundred elements are held.
    """
    path: list[Element] = []
    below: list[Element] = []
    is_empty = True
    for element in elements:
        if element.kind != "title":
            below.append(element)
            is_empty = False
            if len(below) == _SECTION_ELEMENTS:
                yield _section(path, below, title)
                below = []
            continue
        if below or (is_empty and path and element.level <= path[-1].level):
            yield _section(path, below, title)
        path = [*(heading for heading in path if heading.level < element.level), element]
        below, is_empty = [], True
    if below or (is_empty and path):
        yield _section(path, below, title)


def _section(path: Sequence[Element], below: Sequence[Element], title: str) -> _Section:
    headings = path if below else path[:-1]
    names = [" ".join(heading.text.split()) for heading in headings]
    if names and names[0] == title:
        names = names[1:]
    return _Section(headings=tuple(names), elements=tuple(below or path[-1:]))


def _section_chunks(section: _Section, blank: Chunk, max_tokens: int, count: Count) -> Iterator[Chunk]:
    frame, left_out = _framed(section, blank, max_tokens, count)
    overhead = count("")
    room = max_tokens - count(replace(frame, text="\n").indexed_text)
    pieces = (*left_out, *grouped(section.elements))
    for pack in _packs(pieces, room, lambda text: count(text) - overhead):
        yield from _fitting(pack, frame, max_tokens, count)


def _framed(section: _Section, blank: Chunk, max_tokens: int, count: Count) -> tuple[Chunk, tuple[Piece, ...]]:
    """An empty chunk with the headings that fit half of the tokens, innermost first, and the others as text."""
    headings = section.headings
    limit = count("") + max_tokens // 2
    while headings and count(replace(blank, headings=headings).indexed_text) > limit:
        headings = headings[1:]
    outer = section.headings[: len(section.headings) - len(headings)]
    page = section.elements[0].page
    return replace(blank, headings=headings), tuple(Piece(text=heading, page=page) for heading in outer)


def _packs(pieces: Sequence[Piece], room: int, tokens: Count) -> Iterator[list[Piece]]:
    """Pieces of one page gathered up to `room` tokens; those that can't fit are taken apart.

    Each piece is counted once and the sums are compared, so the cost grows with the text, not its square.
    """
    waiting, pack, used, gap = deque(pieces), list[Piece](), 0, tokens("\n")
    while waiting:
        piece = waiting.popleft()
        size = room + 1 if _is_long(piece.text, room) else tokens(piece.text)
        smaller = taken_apart(piece) if size > room else (piece,)
        if len(smaller) > 1:
            waiting.extendleft(reversed(smaller))
        elif pack and (used + gap + size > room or pack[-1].page != piece.page):
            yield pack
            pack, used = [piece], size
        else:
            pack, used = [*pack, piece], used + size + (gap if pack else 0)
    if pack:
        yield pack


def _is_long(text: str, room: int) -> bool:
    """True where a text has more than `room` tokens beyond doubt, as a word has one at least: counting is dear."""
    return len(text) > room * _CHARS_A_TOKEN or len(text.split()) > room


def _fitting(pack: Sequence[Piece], frame: Chunk, max_tokens: int, count: Count) -> Iterator[Chunk]:
    """The pack as one chunk, or as several should the whole have more tokens than its parts together."""
    text = pack[0].text + "".join(piece.before + piece.text for piece in pack[1:])
    whole = replace(frame, text=text, page=pack[0].page)
    parts = pack if len(pack) > 1 else taken_apart(pack[0])
    if len(parts) == 1 or count(whole.indexed_text) <= max_tokens:
        yield whole
        return
    middle = len(parts) // 2
    yield from _fitting(parts[:middle], frame, max_tokens, count)
    yield from _fitting(parts[middle:], frame, max_tokens, count)
