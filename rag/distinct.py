"""Hits that say something of their own: without near-duplicates, and not all from one document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rag.types import Hit
from rag.wording import is_negation

_WORD = re.compile(r"\w[\w'’]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A hit that is not shown, and why in words."""

    hit: Hit
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A text, and its words without case."""

    whole: str
    words: frozenset[str]


def distinct(hits: Iterable[Hit], *, duplicate_at: float, per_document: int) -> Iterator[Hit | LeftOut]:
    """Hits without those that say what a higher one says, and at most so many of a document (0: any number).

    A near-duplicate shares at least `duplicate_at` of its words with the other (words in both over words in either, the
    index of Jaccard). Texts that differ in a number, a name or a negation say two things, whatever they share.
    """
    kept: list[_Text] = []
    of_document: Counter[str] = Counter()
    for hit in hits:
        text = _Text(whole=hit.chunk.text, words=frozenset(_WORD.findall(hit.chunk.text.casefold())))
        twin = next((rank for rank, seen in enumerate(kept, 1) if _is_alike(text, seen, duplicate_at)), None)
        if twin:
            yield LeftOut(hit=hit, reason=f"says what hit {twin} says")
        elif per_document and of_document[hit.chunk.uri] >= per_document:
            yield LeftOut(hit=hit, reason=f"retrieve.per_document = {per_document} hits of its document stand above")
        else:
            kept.append(text)
            of_document[hit.chunk.uri] += 1
            yield hit


def _is_alike(one: _Text, other: _Text, at: float) -> bool:
    sizes = len(one.words), len(other.words)
    if min(sizes) < at * max(sizes):
        return False
    shared = len(one.words & other.words)
    if shared < at * (sum(sizes) - shared):
        return False
    apart = one.words ^ other.words
    written = (word for text in (one, other) for word in _WORD.findall(text.whole))
    return not any(_matters(word) for word in written if word.casefold() in apart)


def _matters(word: str) -> bool:
    """Whether a word makes a difference: a number, a name (any capital letter), a negation (see `rag/wording.py`)."""
    return word != word.lower() or any(map(str.isdigit, word)) or is_negation(word)
