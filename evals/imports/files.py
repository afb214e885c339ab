"""Lines of foreign files, checked, and documents under names that stay."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rag.errors import InputError, StoreError

# More in one line is no passage and no question.
MAX_LINE_CHARS = 10_000_000
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARS = 100
Line = TypeVar("Line", bound=BaseModel)


def numbered(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers. Raises InputError."""
    try:
        # Only a newline ends a line: strings in JSON may hold other separators.
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            number = 0
            while line := file.readline(MAX_LINE_CHARS + 1):
                number += 1
                if len(line) > MAX_LINE_CHARS:
                    raise InputError(
                        f"{path}, line {number} is too long",
                        expected=f"{MAX_LINE_CHARS:,} characters",
                        remedy="split it",
                    )
                if line.strip():
                    yield number, line
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8", expected="UTF-8 text", remedy="save it as UTF-8") from None
    except OSError as error:
        raise InputError(
            f"can't read {path}: {error.strerror}", expected="a text file", remedy="check the path"
        ) from None


def json_lines(path: Path, model: type[Line]) -> Iterator[Line]:
    """Each line of a JSON Lines file as the model has it. Raises InputError, which names the line."""
    for number, line in numbered(path):
        try:
            yield model.model_validate_json(line)
        except ValidationError as error:
            raise told(error, f"{path}, line {number}") from None


def told(error: ValidationError, where: str) -> InputError:
    """What is wrong first, and where."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return InputError(f"{where}: {place or 'it'}: {first['msg']}", expected="what the format has", remedy="mend it")


def safe_name(name: str) -> str:
    """A name for a file, the same for the same text, another for another one."""
    safe = _UNSAFE.sub("_", name).strip("._")[:_NAME_CHARS]
    return safe if safe == name else f"{safe or 'x'}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"


def write_document(folder: Path, name: str, text: str) -> None:
    """Write a document below a folder. Raises StoreError."""
    try:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode(errors="replace"))
    except OSError as error:
        raise StoreError(f"{folder / name}: {error}", expected="a place for documents", remedy="name another") from None
