"""Running text between tables, lists and code, cut by a function of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from ingest.parse import Element
from ingest.parse.fragments import enclosing
from rag.sentences import sentences

# A splitter takes a whole text into its hands, so that it gets no more than this at once.
_PORTION_CHARS = 20_000
# It counts what has no spaces one character after the other, so that it does not get such text at all.
_LONGEST_WORD_CHARS = 1_000


def apart(elements: Sequence[Element], cut: Callable[[str], Iterable[str]]) -> Iterator[tuple[Element, ...]]:
    """The elements in groups: what `cut` makes of the text of a page, each piece alone, and all else as it stands."""
    for (is_text, page), run in groupby(elements, key=lambda element: (element.kind == "text", element.page)):
        group = tuple(run)
        if not is_text:
            yield group
            continue
        boxes = [element.box for element in group if element.box]
        box = enclosing(boxes) if boxes else None
        for text in _pieces("\n".join(element.text for element in group), cut):
            if text.strip():
                yield (Element(kind="text", text=text, page=page, box=box),)


def _pieces(text: str, cut: Callable[[str], Iterable[str]]) -> Iterator[str]:
    for portion in _portions(text):
        if len(portion) > _PORTION_CHARS or max(map(len, portion.split()), default=0) > _LONGEST_WORD_CHARS:
            yield portion
        else:
            yield from cut(portion)


def _portions(text: str) -> Iterator[str]:
    """The text in whole sentences, gathered up to what a splitter gets at once."""
    portion, chars = list[str](), 0
    for sentence in in_sentences(text):
        if portion and chars + len(sentence) > _PORTION_CHARS:
            yield "".join(portion)
            portion, chars = [], 0
        portion.append(sentence)
        chars += len(sentence)
    yield "".join(portion)


def in_sentences(text: str) -> list[str]:
    """The sentences, each with the white space after it, so that together they are the text."""
    begins = [begin for begin, _ in sentences(text)]
    if not begins:
        return [text]
    begins[0] = 0
    return [text[begin:end] for begin, end in zip(begins, [*begins[1:], len(text)], strict=True)]
