"""Questions with what a right answer must say: a JSON Lines file -> checked, frozen cases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, model_validator

from evals.case import Case, Origin, Split
from evals.lines import Strict, Text, parsed, read_lines
from rag.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The cases of a file, or those of them that `selection` tells of.

    `sha256` is the digest of the file's bytes: the version of the dataset.
    """

    name: str
    path: str
    sha256: str
    cases: tuple[Case, ...]
    selection: Mapping[str, Any] = field(default_factory=dict)


def load_dataset(path: Path) -> Dataset:
    """Read and check a JSON Lines file of cases; blank lines are skipped.

    Raises InputError for a file that can't be read, and for the first line that is no case.
    """
    found = read_lines(path, _Line, holds="cases")
    cases = tuple(_case(line) for _, line in found.lines)
    _refuse_repeated_ids(cases, path)
    return Dataset(name=path.stem, path=str(path), sha256=found.sha256, cases=cases)


def select(
    dataset: Dataset, *, split: Split | None = None, tags: Sequence[str] = (), limit: int | None = None
) -> Dataset:
    """The dataset with the first `limit` cases of a split that have at least one of the tags.

    Raises InputError when none is left.
    """
    cases = dataset.cases
    chosen = [
        case for case in cases if (not split or case.split == split) and (not tags or set(tags) & set(case.tags))
    ][:limit]
    if not chosen:
        known = ", ".join(sorted({tag for case in cases for tag in case.tags})) or "none"
        raise InputError(
            f"no case fits split {split or 'any'}, tags {', '.join(tags) or 'any'}",
            expected=f"a split that has cases and some of these tags: {known}",
            remedy="choose others",
        )
    return replace(dataset, cases=tuple(chosen), selection={"split": split, "tags": list(tags), "limit": limit})


def read_case(line: str, *, where: str) -> Case:
    """The case of one line; `where` names it in the InputError that is raised when it is none."""
    return _case(parsed(line, _Line, where))


def case_line(case: Case) -> str:
    """The case as a line of a file, without its end; what is as by default is left out."""
    return json.dumps(_CASE.dump_python(case, mode="json", exclude_defaults=True), ensure_ascii=False)


class _Turn(Strict):
    question: Text
    answer: str


class _Passage(Strict):
    uri: Text
    text: Text


class _Then(Strict):
    trace_id: Text
    asked_at: float
    answer: str
    passages: tuple[_Passage, ...] = ()
    reasons: tuple[Text, ...] = ()
    index_version: str = ""
    prompts: tuple[Text, ...] = ()
    models: tuple[Text, ...] = ()


class _Line(Strict):
    id: Text
    question: Text
    history: tuple[_Turn, ...] = ()
    facts: tuple[Annotated[tuple[Text, ...], Field(min_length=1)], ...] = ()
    expected: str = ""
    sources: tuple[Text, ...] = ()
    evidence: tuple[Text, ...] = ()
    answerable: bool = True
    tags: tuple[Text, ...] = ()
    split: Split = "test"
    conversation: str = ""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    origin: Origin = "hand"
    confirmed: bool = True
    then: _Then | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> _Line:
        is_expected = bool(self.facts or self.sources or self.evidence or self.expected.strip())
        if is_expected and not self.answerable:
            raise ValueError("no facts, sources, evidence or expected answer where answerable is false")
        if self.answerable and self.confirmed and not is_expected:
            raise ValueError("facts, sources, evidence or an expected answer where answerable is true")
        return self


_CASE = TypeAdapter(Case)


def _case(line: _Line) -> Case:
    return _CASE.validate_python(line.model_dump())


def _refuse_repeated_ids(cases: Sequence[Case], path: Path) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise InputError(f"{path} has the id '{case.id}' twice", expected="an id once", remedy="rename one")
        seen.add(case.id)
