"""Lines cut in two, so that what is tied together is on one side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def question_key(question: str) -> str:
    """Two questions with the same key are the same but for case, white space and the marks at their ends."""
    return " ".join(question.casefold().split()).strip(" ?!.,;:…¿¡？！。")


def sides(marks: Sequence[Sequence[str]], *, share: float) -> list[bool]:
    """For each line whether it is held out, so that about `share` of the groups are not.

    Lines that have a mark in common are of one group, and so are those that are so tied through others. The least hash
    of a group's marks decides: the same lines fall the same way every time, in any order.
    """
    first: dict[str, str] = {}
    for own in marks:
        roots = [_root(first, mark) for mark in own]
        for root in roots:
            first[root] = min(roots, key=_hash)
    # Hashed once more: the least of many hashes is a small one.
    return [_share(f"side of {_root(first, own[0])}") >= share for own in marks]


def _root(first: dict[str, str], mark: str) -> str:
    while first.setdefault(mark, mark) != mark:
        mark = first[mark]
    return mark


def _hash(mark: str) -> bytes:
    return hashlib.sha256(mark.encode()).digest()


def _share(mark: str) -> float:
    return int.from_bytes(_hash(mark)[:8], "big") / 2**64
