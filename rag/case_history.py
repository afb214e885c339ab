"""What was done to a file of eval cases, noted in a file beside it: `cases.jsonl` has its `cases.history.jsonl`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from rag.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """When (UTC, ISO 8601), what was done, to which cases, and the SHA-256 of the file before and after.

    `ids` are empty where a file was written as a whole. `before` is '' for one that was new.
    """

    at: str
    did: str
    ids: tuple[str, ...] = ()
    before: str = ""
    after: str = ""


_CHANGE = TypeAdapter(Change)


def version_of(path: Path) -> str:
    """The SHA-256 of a file's bytes: the version of a dataset; '' where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def note_change(path: Path, *, did: str, ids: Sequence[str], before: str) -> None:
    """Note what was done to the file of cases at `path`, durable on return."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    change = Change(at=now, did=did, ids=tuple(ids), before=before, after=version_of(path))
    line = json.dumps(asdict(change), ensure_ascii=False)
    with history_path(path).open("a+b") as file:
        # What a power cut left of a line stays a line of its own.
        file.write(_line_end(file) + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def changes(path: Path) -> list[Change]:
    """What was done to the file of cases at `path`, oldest first; a line that breaks off is left out.

    Raises InputError for a history that is none.
    """
    file = history_path(path)
    try:
        lines = file.read_bytes().split(b"\n") if file.exists() else []
        return [_CHANGE.validate_json(line) for line in lines if line.strip() and not _is_torn(line)]
    except (OSError, ValidationError) as error:
        raise InputError(
            f"can't read {file}: {type(error).__name__}", expected="a change a line", remedy="move that file away"
        ) from None


def history_path(path: Path) -> Path:
    """Where the changes of a file of cases are noted."""
    return path.with_name(f"{path.stem}.history.jsonl")


def _line_end(file: BinaryIO) -> bytes:
    """What ends the last line, if it has no end."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def _is_torn(line: bytes) -> bool:
    """Whether it is the beginning of an object, and not all of it."""
    try:
        json.loads(line)
    except ValueError:
        return line.startswith(b"{")
    return False
