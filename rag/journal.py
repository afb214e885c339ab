"""Files that are only ever added to: one JSON object a line, for all processes."""

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

Entry = TypeVar("Entry")


def append(path: Path, entry: DataclassInstance) -> None:
    """Add an entry; it is on the disk on return. Raises StoreError for a disk that refuses it."""
    line = json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write at the end of the file, unbuffered: entries of two processes stand one behind the other.
        with path.open("a+b", buffering=0) as file:
            file.write(_line_end(path) + line)
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(
            f"{path}: {error.strerror}", expected="a place for what was done", remedy="see data_dir"
        ) from error


def entries(path: Path, kind: type[Entry]) -> Iterator[Entry]:
    """What was added, oldest first; what a crash left of a line is left out.

    Raises StoreError for an entry that this version can't read: without it, what follows would be misread.
    """
    if not path.exists():
        return
    adapter = TypeAdapter(kind)
    with path.open("rb") as file:
        for line in filter(_is_whole, file):
            try:
                yield adapter.validate_json(line)
            except ValidationError as error:
                raise StoreError(
                    f"{path} has an entry that can't be read: {error.errors()[0]['msg']}",
                    expected="what this version writes",
                    remedy="update Plumbline, or move that file away",
                ) from None


def _is_whole(line: bytes) -> bool:
    """Whether it is an entry of whatever kind: not empty, and not the beginning of one alone."""
    try:
        json.loads(line)
    except ValueError:
        return bool(line.strip()) and not line.startswith(b"{")
    return True


def _line_end(path: Path) -> bytes:
    """What a power cut left of a line stays a line of its own: what ends it, if it has no end."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return b""
        file.seek(-1, os.SEEK_END)
        return b"" if file.read(1) == b"\n" else b"\n"
