"""What every format is turned into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rag.types import Box

Kind = Literal["title", "text", "list", "table", "code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A heading, paragraph, list, table or piece of code of a document.

    `page` counts from 1 (slides and sheets count as pages) and is None where the format has none.
    `level` is the depth of a heading, from 1, and 0 for everything else. Lines of a list and rows of a
    table stand on lines of their own. `box` is the place on that page where it begins, in points from the lower
    left corner of the page as it is shown, and None where the format has no places.
    """

    kind: Kind
    text: str
    page: int | None = None
    level: int = 0
    box: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A document's title and its elements in reading order; a parser may leave the title empty.

    The elements of a large document may be read on while they are taken: then they can be taken once, and taking
    them raises DocumentError where the document is damaged further down.
    """

    title: str
    elements: Iterable[Element]
