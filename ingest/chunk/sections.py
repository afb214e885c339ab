"""A document as sections: the headings above, and what stands below them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest.parse import Element

_SECTION_ELEMENTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Elements that share their headings, outermost first."""

    headings: tuple[str, ...]
    elements: tuple[Element, ...]


def sections(elements: Iterable[Element], title: str) -> Iterator[Section]:
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


def _section(path: Sequence[Element], below: Sequence[Element], title: str) -> Section:
    headings = path if below else path[:-1]
    names = [" ".join(heading.text.split()) for heading in headings]
    if names and names[0] == title:
        names = names[1:]
    return Section(headings=tuple(names), elements=tuple(below or path[-1:]))
