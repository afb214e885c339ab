"""Running text between tables, lists and code, cut by a function of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from ingest.parse import Element
from ingest.parse.fragments import enclosing
from rag.sentences import sentences


def apart(elements: Sequence[Element], cut: Callable[[str], Iterable[str]]) -> Iterator[tuple[Element, ...]]:
    """The elements in groups: what `cut` makes of the text of a page, each piece alone, and all else as it stands."""
    for (is_text, page), run in groupby(elements, key=lambda element: (element.kind == "text", element.page)):
        group = tuple(run)
        if not is_text:
            yield group
            continue
        boxes = [element.box for element in group if element.box]
        box = enclosing(boxes) if boxes else None
        for text in cut("\n".join(element.text for element in group)):
            if text.strip():
                yield (Element(kind="text", text=text, page=page, box=box),)


def in_sentences(text: str) -> list[str]:
    """The sentences, each with the white space after it, so that together they are the text."""
    begins = [begin for begin, _ in sentences(text)]
    if not begins:
        return [text]
    begins[0] = 0
    return [text[begin:end] for begin, end in zip(begins, [*begins[1:], len(text)], strict=True)]
