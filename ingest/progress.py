"""What a run tells while it goes on: typed events, drawn by the command line and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["added", "replaced", "unchanged", "removed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Another run fills this index; this one goes on when it is done, or fails after `at_most_s`."""

    at_most_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The documents were counted.

    `version` is the version of the index that is filled; `differs` tells in words what the settings want otherwise.
    """

    documents: int
    version: str
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document is done.

    `reason` says why a failed one failed, `extra` names the extra that would read it, `warnings` what was left out.
    """

    uri: str
    outcome: Outcome
    chunks: int = 0
    reason: str = ""
    extra: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole run.

    `chunks` were written in this run, `embedded` of them had no known vector; `total_chunks` are in the index now.
    `ignored` counts the files of the folders that are of a kind that can't be read, by their ending; `missing_extras`
    the documents that an extra would read, by its name; `unmatched` names the rules of `ingest.labels` that no document
    of the index is meant by.
    """

    added: int
    replaced: int
    unchanged: int
    removed: int
    failed: int
    chunks: int
    embedded: int
    total_chunks: int
    version: str
    seconds: float
    trace_id: str
    ignored: Mapping[str, int] = field(default_factory=dict)
    missing_extras: Mapping[str, int] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()


Progress = Waiting | Started | Document | Report


def counted(seen: Mapping[Outcome, int], chunks: int) -> dict[str, int]:
    """The counts of a report: documents by outcome, and the chunks written."""
    outcomes: Sequence[Outcome] = ("added", "replaced", "unchanged", "removed", "failed")
    return {**{outcome: seen.get(outcome, 0) for outcome in outcomes}, "chunks": chunks}
