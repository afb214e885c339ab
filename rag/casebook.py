"""A file of eval cases that commands and the page change, case by case; lines they don't change stay as they are."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rag.case import Case, case_line, flaw
from rag.case_history import note_change, version_of
from rag.durable import replace_text
from rag.errors import InputError, StoreError

LOCK_S = 10.0
_CASE = TypeAdapter(Case)


def put_cases(path: Path, cases: Sequence[Case], *, did: str) -> None:
    """Add cases to the file, which is made if need be; one with the id of another takes its place.

    Raises InputError for a case without a question or that makes no sense, StoreError for a disk that refuses it.
    """
    for case in cases:
        _check(case)
    new = {case.id: case_line(case) for case in cases}
    with _changing(path, did=did, ids=list(new)) as lines:
        known = {_id(line) for line in lines}
        lines[:] = [new.get(_id(line) or "", line) for line in lines] + [new[name] for name in new if name not in known]


def drop_cases(path: Path, ids: Collection[str], *, did: str) -> None:
    """Take the cases with these ids out of the file. Raises StoreError for a disk that refuses it."""
    with _changing(path, did=did, ids=list(ids)) as lines:
        lines[:] = [line for line in lines if _id(line) not in ids]


def case_made_of(path: Path, trace_id: str, *, case_id: str) -> Case | None:
    """The case of the file that has this id, or whose latest answer has this trace; None where there is none.

    Raises InputError for one that can't be read, StoreError for a file that can't.
    """
    try:
        text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: {error}", expected="a file of cases", remedy="see ui.cases") from error
    # Most lines are of others, and not worth reading.
    near = [line for line in text.split("\n") if case_id in line or trace_id in line]
    return next((_case(line, path) for line in near if _id(line) == case_id or _trace_id(line) == trace_id), None)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The file of cases, which need not be there, while no command and no page changes it.

    Raises StoreError for a disk that refuses something, and where another holds it for long.
    """
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_S):
            yield
    except (OSError, UnicodeDecodeError, Timeout) as error:
        raise StoreError(f"{path}: {error}", expected="a file of cases", remedy="see ui.cases") from error


@contextmanager
def _changing(path: Path, *, did: str, ids: Sequence[str]) -> Iterator[list[str]]:
    """The lines of the file, to be changed while nobody else does; the change is noted beside it."""
    with locked(path):
        before = version_of(path)
        text = path.read_text(encoding="utf-8-sig") if before else ""
        lines = [line for line in text.split("\n") if line.strip()]
        yield lines
        replace_text(path, "".join(f"{line}\n" for line in lines))
        note_change(path, did=did, ids=ids, before=before)


def _check(case: Case) -> None:
    if not case.question.strip():
        raise InputError(
            "a case without a question", expected="what was asked", remedy="traces without texts make none"
        )
    if missing := flaw(case):
        raise InputError(f"case {case.id}", expected=missing, remedy="tell what is right, or that declining is")


def _case(line: str, path: Path) -> Case:
    try:
        found = _CASE.validate_json(line)
        return replace(found, id=found.id.strip())
    except ValidationError as error:
        raise InputError(
            f"{path} has the case {_id(line)}, which can't be read: {error.errors()[0]['msg']}",
            expected="a case",
            remedy="mend that line",
        ) from None


def _id(line: str) -> str | None:
    """The id of the case in a line; None for a line that is no case."""
    found = _object(line).get("id")
    # As datasets are read: without the white space around it.
    return found.strip() if isinstance(found, str) else None


def _trace_id(line: str) -> object:
    """The trace of the answer that the case in a line was made of, if it tells one."""
    then = _object(line).get("then")
    return then.get("trace_id") if isinstance(then, dict) else None


def _object(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
