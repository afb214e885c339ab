"""A file of eval cases that commands and the page change, case by case; lines they don't change stay as they are."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rag.case import Case, case_line, flaw
from rag.case_history import note_change, version_of
from rag.durable import replace_text
from rag.errors import InputError, StoreError

LOCK_S = 10.0


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


def _id(line: str) -> str | None:
    """The id of the case in a line; None for a line that is no case."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    found = told.get("id") if isinstance(told, dict) else None
    # As datasets are read: without the white space around it.
    return found.strip() if isinstance(found, str) else None
