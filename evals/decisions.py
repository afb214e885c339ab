"""The log of what the gate decided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evals.gate import Decision
from rag.journal import append, entries
from rag.settings import Settings


def decisions_path(settings: Settings) -> Path:
    """Where they are kept."""
    return settings.data_path / "evals" / "decisions.jsonl"


def record(decision: Decision, path: Path) -> None:
    """Add a decision; it is on the disk on return. Raises StoreError for a disk that refuses it."""
    append(path, decision)


def decisions(path: Path) -> Iterator[Decision]:
    """The decisions, oldest first."""
    return entries(path, Decision)
