"""The cases of a file as they are listed, found and changed by commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evals.dataset import load_dataset
from rag.case import Case, Split, wordings
from rag.errors import InputError
from rag.retell import ID_PREFIX, expecting


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a person says of a case; what is None or empty is not said."""

    question: str | None = None
    expected: str | None = None
    facts: Sequence[str] = ()
    sources: Sequence[str] = ()
    evidence: Sequence[str] = ()
    tags: Sequence[str] = ()
    split: Split | None = None
    declined: bool = False

    @property
    def is_what_is_right(self) -> bool:
        """Whether it tells what a right answer is."""
        return bool(self.expected or self.facts or self.sources or self.evidence or self.declined)

    def applied(self, case: Case) -> Case:
        """The case with what is said; confirmed, if that is what is right. Raises InputError."""
        if self.declined and (self.expected or self.facts or self.sources or self.evidence):
            raise InputError(
                "to decline is right, and something is expected", expected="one of both", remedy="leave one out"
            )
        asked = replace(
            case,
            question=case.question if self.question is None else self.question.strip(),
            tags=tuple(dict.fromkeys([*case.tags, *self.tags])),
            split=self.split or case.split,
            confirmed=case.confirmed or self.is_what_is_right,
        )
        if self.declined:
            return replace(expecting(asked, ""), facts=(), sources=(), evidence=(), answerable=False)
        return replace(
            asked if self.expected is None else expecting(asked, self.expected.strip()),
            facts=tuple(map(wordings, self.facts)) or asked.facts,
            sources=tuple(self.sources) or asked.sources,
            evidence=tuple(self.evidence) or asked.evidence,
            answerable=asked.answerable or self.is_what_is_right,
        )


def held(path: Path) -> tuple[Case, ...]:
    """The cases of the file; none where there is no file, or nothing in it. Raises InputError."""
    is_there = path.exists() and (path.is_dir() or path.read_bytes().strip())
    return load_dataset(path).cases if is_there else ()


def found(cases: Sequence[Case], named: str, path: Path) -> Case:
    """The case whose id, or whose trace's id, is this or begins so. Raises InputError for none or several."""
    same = [case for case in cases if case.id == named]
    near = same or [case for case in cases if any(name.startswith(named) for name in _names(case))]
    if len(near) == 1:
        return near[0]
    seen = f"{len(near)} cases of {path} begin with" if near else f"{path} has no case"
    raise InputError(f"{seen} '{named[:80]}'", expected="the id of one", remedy="see 'plumb eval cases list'")


def _names(case: Case) -> tuple[str, ...]:
    """The id of the case, that of the answer it was first made of, and that of the latest one."""
    return case.id, case.id.removeprefix(ID_PREFIX), case.then.trace_id if case.then else ""
