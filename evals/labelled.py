"""Answers that people have judged: a JSON Lines file -> checked, frozen items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from evals.lines import Strict, Text, read_lines
from rag.case import Case
from rag.errors import InputError

Better = Literal["first", "second", "same"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An answer that a person found right or not, or two of which a person found one better."""

    case: Case
    answers: tuple[str, ...]
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """The items of a file, all of one kind. `sha256` is the digest of its bytes."""

    name: str
    sha256: str
    are_pairs: bool
    items: tuple[Item, ...]


def load_labelled(path: Path) -> Labelled:
    """Read and check the file. Raises InputError for one that can't be read, and for the first line that is no item."""
    found = read_lines(path, _Line, holds="judged answers")
    items = tuple(line.item(number) for number, line in found.lines)
    kinds = {len(item.answers) for item in items}
    if len(kinds) > 1:
        raise InputError(f"{path} holds single answers and pairs", expected="one kind", remedy="make two files of it")
    return Labelled(name=path.stem, sha256=found.sha256, are_pairs=kinds == {2}, items=items)


class _Line(Strict):
    question: Text
    expected: str = ""
    facts: tuple[Annotated[tuple[Text, ...], Field(min_length=1)], ...] = ()
    answer: Text | None = None
    right: bool | None = None
    first: Text | None = None
    second: Text | None = None
    better: Better | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> _Line:
        single = (self.answer is not None) + (self.right is not None)
        pair = (self.first is not None) + (self.second is not None) + (self.better is not None)
        if (single, pair) not in ((2, 0), (0, 3)):
            raise ValueError("either 'answer' and 'right', or 'first', 'second' and 'better'")
        if not (self.expected.strip() or self.facts):
            raise ValueError("an expected answer or facts, which the judge holds the answer against")
        return self

    def item(self, number: int) -> Item:
        case = Case(id=str(number), question=self.question, expected=self.expected, facts=self.facts)
        if self.answer is not None:
            return Item(case=case, answers=(self.answer,), label="right" if self.right else "wrong")
        return Item(case=case, answers=(self.first or "", self.second or ""), label=self.better or "same")
