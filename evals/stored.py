"""Records that stand alone, a JSON file each: written whole or not at all, checked when they are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rag.durable import PRIVATE, replace_text
from rag.errors import InputError, PlumbError

Kind = TypeVar("Kind")
LONGEST_LINE = 10_000_000


def save(values: Any, path: Path) -> None:
    """Write plain JSON values for their owner's eyes; a file of that name is replaced. Raises PlumbError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n", mode=PRIVATE)
    except OSError as error:
        raise unwritable(path, error) from None


def load(path: Path, adapter: TypeAdapter[Kind], *, what: str, by: str) -> Kind:
    """Read what the command `by` wrote; `what` is the noun for it.

    Raises InputError for a file that is something else.
    """
    try:
        return adapter.validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"can't read {path}: {error.strerror}", expected=f"{what} of '{by}'", remedy="check the path"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            f"{path} is not {what}: {where}: {first['msg']}",
            expected=f"one of '{by}' in the format of this version",
            remedy=f"name another file, or make it again with '{by}'",
        ) from None


def check_replaceable(path: Path, is_ours: Callable[[bytes], bool], *, what: str) -> None:
    """Raise InputError for a file that holds something else than `what`, which `is_ours` tells by its first line."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        line = file.readline(LONGEST_LINE)
    if line and not is_ours(line):
        raise InputError(
            f"{path} holds something else than {what}",
            expected=f"a new file, or {what} to replace",
            remedy="name another with --out, or take that one away",
        )


def unwritable(path: Path, error: OSError) -> PlumbError:
    """What it means that a file can't be written."""
    return PlumbError(
        f"can't write {path}: {error.strerror}", expected="a place to keep it", remedy="name another with --out"
    )
