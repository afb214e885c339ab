"""Questions with what a right answer must say: a JSON Lines file -> checked, frozen cases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from rag.case import Case, Origin, Split, case_line, flaw
from rag.changes import note_change
from rag.errors import InputError, StoreError

# A dataset is written by people, a case a line: more than this is some other file.
MAX_BYTES = 64_000_000
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The cases of a file. `sha256` is the digest of its bytes: the version of the dataset."""

    name: str
    path: str
    sha256: str
    cases: tuple[Case, ...]


def load_dataset(path: Path) -> Dataset:
    """Read and check a JSON Lines file of cases; blank lines are skipped.

    Raises InputError for a file that can't be read, and for the first line that is no case.
    """
    data = _read(path)
    cases = tuple(parse_case(line, f"{path}, line {number}") for number, line in _lines(data, path))
    if not cases:
        raise InputError(f"{path} holds no cases", expected="one JSON object a line", remedy="add a question")
    _refuse_repeated_ids(cases, path)
    return Dataset(name=path.stem, path=str(path), sha256=hashlib.sha256(data).hexdigest(), cases=cases)


def write_dataset(path: Path, cases: Iterable[Case], *, did: str) -> int:
    """Write cases as they come to a new file, whole or not at all; returns how many.

    Raises InputError for a file that is there, an id that comes twice and no cases at all, StoreError for a disk that
    refuses it.
    """
    if path.exists():
        raise InputError(f"{path} is there", expected="a new file", remedy="name another, or take that one away")
    draft, ids = path.with_suffix(".new"), set[str]()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            for case in cases:
                if case.id in ids:
                    raise InputError(f"the id '{case.id}' comes twice", expected="an id once", remedy="rename one")
                ids.add(case.id)
                file.write(f"{case_line(case)}\n")
        if not ids:
            raise InputError("no cases were found", expected="some", remedy="look at what is imported")
        draft.replace(path)
        note_change(path, did=did, ids=(), before="")
    except OSError as error:
        raise StoreError(f"{path}: {error}", expected="a place for the cases", remedy="name another") from error
    finally:
        draft.unlink(missing_ok=True)
    return len(ids)


def select(
    cases: Sequence[Case], *, split: Split | None = None, tags: Sequence[str] = (), limit: int | None = None
) -> tuple[Case, ...]:
    """The first `limit` cases of a split that have at least one of the tags.

    Raises InputError when none is left.
    """
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
    return tuple(chosen)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Turn(_Strict):
    question: Text
    answer: str


class _Passage(_Strict):
    uri: Text
    text: Text


class _Then(_Strict):
    trace_id: Text
    asked_at: float
    answer: str
    passages: list[_Passage] = []
    reasons: list[Text] = []
    index_version: str = ""
    prompts: list[Text] = []
    models: list[Text] = []


class _Line(_Strict):
    id: Text
    question: Text
    history: list[_Turn] = []
    facts: list[Annotated[list[Text], Field(min_length=1)]] = []
    expected: str = ""
    sources: list[Text] = []
    evidence: list[Text] = []
    answerable: bool = True
    tags: list[Text] = []
    split: Split = "test"
    conversation: str = ""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    origin: Origin = "hand"
    confirmed: bool = True
    then: _Then | None = None


_CASE = TypeAdapter(Case)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"can't read {path}: {error.strerror}",
            expected="a dataset, one JSON object a line",
            remedy="check the path",
        ) from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is too large", expected=f"at most {MAX_BYTES:,} bytes", remedy="split it")
    return data


def _lines(data: bytes, path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank. JSON strings may hold other line separators than the newline."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise InputError(
                f"{path}, line {number} is not UTF-8", expected="UTF-8 text", remedy="save the file as UTF-8"
            ) from None
        if text.strip():
            yield number, text


def parse_case(line: str, where: str) -> Case:
    """The case in a line of JSON; `where` names the line. Raises InputError."""
    try:
        case = _CASE.validate_python(_Line.model_validate_json(line).model_dump())
    except ValidationError as error:
        raise _explain(error, where) from None
    if missing := flaw(case):
        raise InputError(where, expected=missing, remedy="mend that line")
    return case


def _explain(error: ValidationError, where: str) -> InputError:
    first = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    match first["type"]:
        case "json_invalid":
            return InputError(f"{where}: {first['msg']}", expected="a JSON object", remedy="mend that line")
        case "missing":
            return InputError(f"{where} has no '{key}'", expected=_KEYS, remedy="add it")
        case "extra_forbidden":
            return InputError(f"{where} has an unknown key '{key}'", expected=_KEYS, remedy="remove or rename it")
    subject = f"'{key}' is " if key else ""
    expected = first["msg"].removeprefix("Input should ").removeprefix("be ")
    return InputError(f"{where}: {subject}{_short(first['input'])}", expected=expected, remedy="mend that line")


_KEYS = f"the keys {', '.join(_Line.model_fields)} (only id and question are always needed)"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _refuse_repeated_ids(cases: Sequence[Case], path: Path) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise InputError(f"{path} has the id '{case.id}' twice", expected="an id once", remedy="rename one")
        seen.add(case.id)
