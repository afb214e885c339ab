"""A log of what was decided: one JSON object a line, only ever added to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from rag.errors import StoreError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LOCK_S = 10.0
Entry = TypeVar("Entry")


def append(path: Path, entry: DataclassInstance) -> None:
    """Add an entry; it is on the disk on return. Raises StoreError for a disk that refuses it."""
    from filelock import FileLock, Timeout

    line = json.dumps(asdict(entry), ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_S), path.open("a+b") as file:
            # What a power cut left of a line stays a line of its own.
            file.write(_line_end(path) + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except (OSError, Timeout) as error:
        raise StoreError(f"{path}: {error}", expected="a place for what was decided", remedy="see data_dir") from error


def entries(path: Path, kind: type[Entry]) -> Iterator[Entry]:
    """What was added, oldest first; what a crash left of a line is left out.

    Raises StoreError for an entry that this version can't read: without it, what follows would be misread.
    """
    if not path.exists():
        return
    adapter = TypeAdapter(kind)
    with path.open("rb") as file:
        for line in file:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            try:
                yield adapter.validate_python(told)
            except ValidationError as error:
                raise StoreError(
                    f"{path} has an entry that can't be read: {error.errors()[0]['msg']}",
                    expected="what this version writes",
                    remedy="update Plumbline",
                ) from None


def _line_end(path: Path) -> bytes:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return b""
        file.seek(-1, os.SEEK_END)
        return b"" if file.read(1) == b"\n" else b"\n"
