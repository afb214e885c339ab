"""JSON Lines files that people write: each line checked, the first bad one named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from rag.errors import InputError

# A line is written by a person: more than this is some other file.
MAX_BYTES = 64_000_000
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Strict(BaseModel):
    """What a line, or a part of one, holds: nothing else, and nothing that must be converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


Line = TypeVar("Line", bound=Strict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Generic[Line]):
    """The lines of a file with their numbers; `sha256` is the digest of its bytes."""

    sha256: str
    lines: tuple[tuple[int, Line], ...]


def read_lines(path: Path, kind: type[Line], *, holds: str) -> Lines[Line]:
    """Read a file of one JSON object a line; blank lines are skipped. `holds` names what it holds.

    Raises InputError for a file that can't be read or holds nothing, and for the first line that is not of this kind.
    """
    data = _read(path, holds)
    lines = tuple((number, parsed(line, kind, f"{path}, line {number}")) for number, line in _numbered(data, path))
    if not lines:
        raise InputError(f"{path} holds no {holds}", expected="one JSON object a line", remedy="add one")
    return Lines(sha256=hashlib.sha256(data).hexdigest(), lines=lines)


def _read(path: Path, holds: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"can't read {path}: {error.strerror}", expected=f"{holds}, one JSON object a line", remedy="check the path"
        ) from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is too large", expected=f"at most {MAX_BYTES:,} bytes", remedy="split it")
    return data


def _numbered(data: bytes, path: Path) -> Iterator[tuple[int, str]]:
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


def parsed(line: str, kind: type[Line], where: str) -> Line:
    """One line checked; `where` names it in the InputError that is raised when it is not of this kind."""
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        raise _explained(error, where, kind) from None


def _explained(error: ValidationError, where: str, kind: type[Strict]) -> InputError:
    first = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    match first["type"]:
        case "json_invalid":
            return InputError(f"{where}: {first['msg']}", expected="a JSON object", remedy="mend that line")
        case "missing":
            return InputError(f"{where} has no '{key}'", expected=_keys(kind), remedy="add it")
        case "extra_forbidden":
            return InputError(f"{where} has an unknown key '{key}'", expected=_keys(kind), remedy="remove or rename it")
        case "value_error":
            seen, expected = where, first["msg"].removeprefix("Value error, ")
        case _:
            subject = f"'{key}' is " if key else ""
            seen = f"{where}: {subject}{_short(first['input'])}"
            expected = f"{first['msg'].removeprefix('Input should ').removeprefix('be ')}{_example(first['loc'], kind)}"
    return InputError(seen, expected=expected, remedy="mend that line")


def _example(place: tuple[int | str, ...], kind: type[Strict]) -> str:
    """How the key of a line is written, where it tells by an example."""
    field = kind.model_fields.get(str(place[0])) if place else None
    if field is None or not field.examples:
        return ""
    return f': {field.description}, as in "{place[0]}": {json.dumps(field.examples[0])}'


def _keys(kind: type[Strict]) -> str:
    needed = " and ".join(name for name, field in kind.model_fields.items() if field.is_required())
    return f"the keys {', '.join(kind.model_fields)} (only {needed} are always needed)"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
