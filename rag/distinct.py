"""Hits that say something of their own: without near-duplicates, and not all from one document."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rag.types import Hit
from rag.wording import is_negation

# The words of a text: without case, and as they are written.
Words = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A hit that is not shown, and why in words."""

    hit: Hit
    reason: str


def distinct(hits: Iterable[Hit], *, duplicate_at: float, per_document: int) -> Iterator[Hit | LeftOut]:
    """Hits without those that say what a higher one says, and at most so many of a document (0: any number).

    A near-duplicate shares at least `duplicate_at` of its words with the other (words in both over words in either, the
    index of Jaccard). Texts that differ in a number, a name or a negation say two things, whatever they share.
    """
    kept: list[Words] = []
    of_document: Counter[str] = Counter()
    for hit in hits:
        words = _words(hit.chunk.text)
        twin = next((rank for rank, seen in enumerate(kept, 1) if _is_alike(words, seen, duplicate_at)), None)
        if twin:
            yield LeftOut(hit=hit, reason=f"says what hit {twin} says")
        elif per_document and of_document[hit.chunk.uri] >= per_document:
            yield LeftOut(hit=hit, reason=f"retrieve.per_document = {per_document} hits of its document stand above")
        else:
            kept.append(words)
            of_document[hit.chunk.uri] += 1
            yield hit


def _words(text: str) -> Words:
    """The words of a text without the punctuation around them."""
    words = filter(None, (word.strip(string.punctuation) for word in text.split()))
    return {word.casefold(): word for word in words}


def _is_alike(one: Words, other: Words, at: float) -> bool:
    shared = len(one.keys() & other.keys())
    if shared < at * (len(one) + len(other) - shared):
        return False
    either = {**one, **other}
    return not any(_matters(either[word]) for word in one.keys() ^ other.keys())


def _matters(word: str) -> bool:
    """Whether a word makes a difference: a number, a name (any capital letter), a negation (see `rag/wording.py`)."""
    return word != word.lower() or any(map(str.isdigit, word)) or is_negation(word)
