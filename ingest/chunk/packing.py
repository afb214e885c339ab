"""Pieces packed into chunks of at most so many tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ingest.chunk.pieces import Piece, taken_apart
from ingest.parse.fragments import enclosing
from rag.types import Box, Chunk

Count = Callable[[str], int]

_MOST_BOXES = 20  # of a chunk; more are told as one around them all
_CHARS_A_TOKEN = 40  # text with more characters a token than this is taken apart without counting


def packs(pieces: Sequence[Piece], room: int, tokens: Count) -> Iterator[list[Piece]]:
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
            used += size + (gap if pack else 0)
            pack.append(piece)
    if pack:
        yield pack


def _is_long(text: str, room: int) -> bool:
    """True where a text has more than `room` tokens beyond doubt, as a word has one at least: counting is dear."""
    return len(text) > room * _CHARS_A_TOKEN or len(text.split()) > room


def fitting(pack: Sequence[Piece], frame: Chunk, max_tokens: int, count: Count) -> Iterator[Chunk]:
    """The pack as one chunk, or as several should the whole have more tokens than its parts together."""
    text = pack[0].text + "".join(piece.before + piece.text for piece in pack[1:])
    whole = replace(frame, text=text, page=pack[0].page, boxes=_boxes(pack))
    parts = pack if len(pack) > 1 else taken_apart(pack[0])
    if len(parts) == 1 or count(whole.indexed_text) <= max_tokens:
        yield whole
        return
    middle = len(parts) // 2
    yield from fitting(parts[:middle], frame, max_tokens, count)
    yield from fitting(parts[middle:], frame, max_tokens, count)


def _boxes(pack: Sequence[Piece]) -> tuple[Box, ...]:
    boxes = tuple(dict.fromkeys(box for piece in pack for box in piece.boxes))
    return boxes if len(boxes) <= _MOST_BOXES else (enclosing(boxes),)
