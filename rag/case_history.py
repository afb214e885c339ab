"""What was done to a file of eval cases, noted in a file beside it: `cases.jsonl` has its `cases.history.jsonl`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag.journal import append, entries


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


def version_of(path: Path) -> str:
    """The SHA-256 of a file's bytes: the version of a dataset; '' where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def note_change(path: Path, *, did: str, ids: Sequence[str], before: str) -> None:
    """Note what was done to the file of cases at `path`, durable on return."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    change = Change(at=now, did=did, ids=tuple(ids), before=before, after=version_of(path))
    append(history_path(path), change)


def changes(path: Path) -> list[Change]:
    """What was done to the file of cases at `path`, oldest first. Raises StoreError for a history that is none."""
    return list(entries(history_path(path), Change))


def history_path(path: Path) -> Path:
    """Where the changes of a file of cases are noted."""
    return path.with_name(f"{path.stem}.history.jsonl")
