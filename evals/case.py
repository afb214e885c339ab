"""A question with what a right answer must say, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.types import Turn

Split = Literal["dev", "test"]
# Where a case comes from: written by a person, a rated answer, made from the corpus, another dataset.
Origin = Literal["hand", "feedback", "synthetic", "imported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Words of a document."""

    uri: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """The answer that a case was made of: what was said, on what it rested, and what made it. Times are Unix times."""

    trace_id: str
    asked_at: float
    answer: str
    passages: tuple[Passage, ...] = ()
    reasons: tuple[str, ...] = ()
    index_version: str = ""
    prompts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A question and what is expected of its answer.

    `facts` must all be in a right answer, each in one of its wordings; `expected` is a right answer in full. `sources`
    are the documents that hold it: all of them are needed, unless a tag is 'any'; `evidence` are words that must stand
    in the passages found. All are empty when the right reaction is to decline (`answerable` is false). `split` tells
    cases for tuning ('dev') from those for measuring ('test'). Cases of one `conversation` ('' for a case by itself)
    are not independent of each other. `weight` is how much a case counts in a mean. Only what a person `confirmed`
    counts in a gate.
    """

    id: str
    question: str
    history: tuple[Turn, ...] = ()
    facts: tuple[tuple[str, ...], ...] = ()
    expected: str = ""
    sources: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    answerable: bool = True
    tags: tuple[str, ...] = ()
    split: Split = "test"
    conversation: str = ""
    weight: float = 1.0
    origin: Origin = "hand"
    confirmed: bool = True
    then: Then | None = None
