"""Cases made of the passages of the index: spread over its documents, the same for the same seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from evals.synth.asked import Ask, Asked
from evals.synth.sift import Sieve
from rag.case import Case
from rag.search import Searcher
from rag.store import Store
from rag.types import EVERYONE, Chunk

Item = TypeVar("Item")
# Tried at most for each case that is wanted.
TRIES = 10
# Passages read from the store at a time.
BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A case was made; so many that are neither trivial nor unanswerable there are so far."""

    case: Case
    good: int


def synthesize(searcher: Searcher, ask: Ask, *, count: int, seed: int) -> Iterator[Made]:
    """Cases until `count` of them are good ones, or nothing is left to try.

    Those that measure little are told too, with the tag that says why. Passages that not everyone may read are left
    out, as the questions are written to a file. Raises StoreError and ModelError.
    """
    sieve, known, good = Sieve(searcher), set[str](), 0
    for tried, chunk in enumerate(_spread(searcher.index.store, seed)):
        if good == count or tried == TRIES * count:
            return
        asked = ask(chunk)
        if asked and asked.question.casefold() not in known:
            known.add(asked.question.casefold())
            tags = sieve.tags(asked, chunk)
            good += not tags
            yield Made(case=_case(asked, chunk, tags), good=good)


def _spread(store: Store, seed: int) -> Iterator[Chunk]:
    """The passages, one of each document in turn, in an order by chance."""
    chance = random.Random(seed)  # noqa: S311 - to be repeatable, not secret
    places: dict[str, list[tuple[int, str]]] = {}
    for chunk in store.chunks():
        if EVERYONE in chunk.readers:
            places.setdefault(chunk.uri, []).append((chunk.position, chunk.id))
    shuffled = [_shuffled(sorted(places[uri]), chance) for uri in _shuffled(sorted(places), chance)]
    turns = [place for turn in zip_longest(*shuffled) for place in turn if place]
    for start in range(0, len(turns), BATCH):
        ids = [one for _, one in turns[start : start + BATCH]]
        chunks = {chunk.id: chunk for chunk in store.retrieve(ids)}
        yield from (chunks[one] for one in ids if one in chunks)


def _shuffled(items: list[Item], chance: random.Random) -> list[Item]:
    return chance.sample(items, len(items))


def _case(asked: Asked, chunk: Chunk, tags: tuple[str, ...]) -> Case:
    named = hashlib.sha256(f"{chunk.uri}\n{asked.question}".encode(errors="replace")).hexdigest()[:12]
    return Case(
        id=f"synth-{named}",
        question=asked.question,
        facts=((asked.fact,),) if asked.fact else (),
        sources=(chunk.uri,),
        evidence=(asked.sentence,) if asked.sentence else (),
        tags=("synthetic", *tags),
        split="dev",
        origin="synthetic",
        confirmed=False,
    )
