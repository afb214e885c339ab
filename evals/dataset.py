"""Questions with what a right answer must say: a JSON Lines file -> checked, frozen cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from evals.lines import Strict, Text, parsed, read_lines
from evals.run_id import part_of_id
from rag.case import Case, Origin, Split, case_line, flaw
from rag.case_history import note_change
from rag.durable import replacing
from rag.errors import InputError, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The cases of a file, or those of them that `selection` tells of.

    `name` is that of the file, fit to be part of the id of a run. `sha256` is the digest of the file's bytes: the
    version of the dataset.
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
    cases = tuple(_case(line, where=f"{path}, line {number}") for number, line in found.lines)
    _refuse_repeated_ids(cases, path)
    return Dataset(name=part_of_id(path.stem), path=str(path), sha256=found.sha256, cases=cases)


def write_dataset(path: Path, cases: Iterable[Case], *, did: str) -> int:
    """Write cases as they come to a new file, whole or not at all; returns how many.

    Raises InputError for a file that is there, an id that comes twice and no cases at all, StoreError for a disk that
    refuses it.
    """
    if path.exists():
        raise InputError(f"{path} is there", expected="a new file", remedy="name another, or take that one away")
    ids = set[str]()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            for case in cases:
                if case.id in ids:
                    raise InputError(f"the id '{case.id}' comes twice", expected="an id once", remedy="rename one")
                ids.add(case.id)
                file.write(f"{case_line(case)}\n".encode())
            if not ids:
                raise InputError("no cases were found", expected="some", remedy="look at what is imported")
        note_change(path, did=did, ids=(), before="")
    except OSError as error:
        raise StoreError(f"{path}: {error}", expected="a place for the cases", remedy="name another") from error
    return len(ids)


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
    return _case(parsed(line, _Line, where), where=where)


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
    facts: tuple[Annotated[tuple[Text, ...], Field(min_length=1)], ...] = Field(
        (), description="each fact is a list of its wordings", examples=[[["20", "twenty"]]]
    )
    expected: str = ""
    also: tuple[Text, ...] = ()
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


_CASE = TypeAdapter(Case)


def _case(line: _Line, *, where: str) -> Case:
    case = _CASE.validate_python(line.model_dump())
    if missing := flaw(case):
        raise InputError(where, expected=missing, remedy="mend that line")
    return case


def _refuse_repeated_ids(cases: Sequence[Case], path: Path) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise InputError(f"{path} has the id '{case.id}' twice", expected="an id once", remedy="rename one")
        seen.add(case.id)
