"""A question with what a right answer must say, and where it comes from."""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal

from rag.errors import InputError
from rag.observe.codec import utf8
from rag.types import Turn

Split = Literal["dev", "test"]
# Where a case comes from: written by a person, a rated answer, made from the corpus, another dataset.
Origin = Literal["hand", "feedback", "synthetic", "imported"]
# Between the wordings of a fact where a person types it, and in a table.
WORDINGS = "|"


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

    `facts` must all be in a right answer, each in one of its wordings; `expected` is a right answer in full, `also` are
    others that people gave, latest first: whoever confirms the case is shown them. `sources` are the documents that
    hold it: all of them are needed, unless a tag is 'any'; `evidence` are words that must stand in the passages found.
    All but `also` are empty when the right reaction is to decline (`answerable` is false). `split` tells cases for
    tuning ('dev') from those for measuring ('test'). Cases of one `conversation` ('' for a case by itself) are not
    independent of each other. `weight` is how much a case counts in a mean. Only what a person `confirmed` counts in a
    gate.
    """

    id: str
    question: str
    history: tuple[Turn, ...] = ()
    facts: tuple[tuple[str, ...], ...] = ()
    expected: str = ""
    also: tuple[str, ...] = ()
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

    @property
    def expects(self) -> bool:
        """Whether it tells anything of a right answer."""
        return bool(self.facts or self.sources or self.evidence or self.expected.strip())


def flaw(case: Case) -> str:
    """What a case would need to make sense; '' for one that does."""
    if case.expects and not case.answerable:
        return "no facts, sources, evidence or expected answer where answerable is false"
    if case.answerable and case.confirmed and not case.expects:
        return "facts, sources, evidence or an expected answer where answerable is true"
    return ""


def wordings(told: str) -> tuple[str, ...]:
    """The wordings of a fact: '28|twenty-eight'. Raises InputError for none."""
    found = tuple(filter(None, map(str.strip, told.split(WORDINGS))))
    if not found:
        raise InputError(f"the fact '{told}'", expected="words", remedy="write it as 28|twenty-eight")
    return found


def case_line(case: Case) -> str:
    """The case as a line of a dataset, without what is as usual; `evals.dataset` reads it back."""
    return utf8(json.dumps(_plain(case), ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if not is_dataclass(value):
        return value
    # Who may read an earlier answer is no part of a case.
    told = (field for field in fields(value) if field.name != "readers")
    given = {field.name: (getattr(value, field.name), field.default) for field in told}
    return {name: _plain(own) for name, (own, usual) in given.items() if usual is MISSING or own != usual}
