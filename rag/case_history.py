"""What was done to a file of eval cases, noted in a file beside it: `cases.jsonl` has its `cases.history.jsonl`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

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
    with history_path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(change), ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def changes(path: Path) -> list[Change]:
    """What was done to the file of cases at `path`, oldest first. Raises InputError for a history that is none."""
    file = history_path(path)
    try:
        lines = file.read_text(encoding="utf-8").split("\n") if file.exists() else []
        return [_CHANGE.validate_json(line) for line in lines if line.strip()]
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise InputError(
            f"can't read {file}: {type(error).__name__}", expected="a change a line", remedy="move that file away"
        ) from None


def history_path(path: Path) -> Path:
    """Where the changes of a file of cases are noted."""
    return path.with_name(f"{path.stem}.history.jsonl")
