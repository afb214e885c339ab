"""What a run keeps: plain frozen data that explains itself without the index, the settings or the code."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from evals.agreement import Agreement
from evals.run_id import RunId
from evals.stored import load, save, unwritable
from rag.case import Case
from rag.errors import InputError
from rag.types import Citation, Usage, Verdict

# Raised whenever the meaning of a stored field changes.
Format = Literal[1]
FORMAT: Format = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """A hit as it is kept. `marker` is the number under which the model read it; None when it did not."""

    marker: int | None
    shown: str | None
    uri: str
    title: str
    page: int | None
    headings: tuple[str, ...]
    text: str
    score: float
    scores: Mapping[str, float]
    chunk_id: str
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer as it is kept, its hits beside it."""

    text: str
    abstained: bool
    citations: tuple[Citation, ...]
    verdict: Verdict
    usage: Usage
    models: Mapping[str, str]
    trace_id: str
    timings_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What happened to one case: an answer and its hits, or an error. `scores` holds the case's own figures.

    `repetition` counts from 0, where each case is asked several times. `judged` is how likely the judge found the
    answer right, 0 to 1, and `similarity` how like the expected answer it is, -1 to 1; None where that was not asked.
    `cost` is that of the answer and, as far as it is known, of its grade, in the currency of the prices: a grade that
    failed, or by a judge without a price, adds nothing. None when that of the answer is unknown, as that of a failure.
    """

    case_id: str
    answer: Given | None
    repetition: int = 0
    hits: tuple[Retrieved, ...] = ()
    error: str | None = None
    error_kind: str | None = None
    judged: float | None = None
    similarity: float | None = None
    cost: float | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A metric over some cases. `value` is None over zero cases; `low` and `high` bound a share at 95 %."""

    cases: int
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All figures by the metric's name: overall, by split and by tag."""

    overall: Mapping[str, Figure]
    by_split: Mapping[str, Mapping[str, Figure]]
    by_tag: Mapping[str, Mapping[str, Figure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which dataset was asked, in which version; `selection` says which part of it."""

    name: str
    path: str
    sha256: str
    selection: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedPrompt:
    """A prompt as it was: `sha` is 12 hex digits of its file's hash."""

    id: str
    version: str
    sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeUsed:
    """The judge of a run: its models in their order, its prompt, how its words are drawn.

    `agreement` is with people on the set `labelled`, as `plumb eval calibrate` found; None where nobody measured it.
    """

    models: tuple[str, ...]
    prompt: UsedPrompt
    temperature: float
    max_tokens: int
    agreement: Agreement | None = None
    labelled: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The index that was searched."""

    name: str
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine a run was timed on."""

    cpu: str
    cores: int
    platform: str
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run. Times are UTC in ISO 8601; `models` lists who really answered, by role.

    Each case was to be asked `repeat` times; a run that ended early has fewer records. `answering_hash` is that of the
    settings that can change an answer, '' where nobody kept it.
    """

    id: RunId
    started: str
    ended: str
    dataset: Source
    summary: Summary
    models: Mapping[str, tuple[str, ...]]
    prompts: tuple[UsedPrompt, ...]
    index: Index
    config_hash: str
    code_version: str
    machine: Machine
    config: Mapping[str, Any]
    cases: tuple[Case, ...]
    records: tuple[Record, ...]
    repeat: int = 1
    judge: JudgeUsed | None = None
    answering_hash: str = ""
    format: Format = FORMAT

    @property
    def is_whole(self) -> bool:
        """Whether every case was asked as often as it was to be."""
        return len(self.records) == len(self.cases) * self.repeat


_RUN = TypeAdapter(Run)


def plain_run(run: Run) -> dict[str, Any]:
    """A run as plain JSON values."""
    values: dict[str, Any] = _RUN.dump_python(run, mode="json")
    return values


def save_run(run: Run, path: Path) -> None:
    """Write a run, as `stored.save` does. Raises PlumbError."""
    save(plain_run(run), path)


def check_writable(path: Path) -> None:
    """Find out before a long run that its file can't be written. Raises PlumbError."""
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp"):
            pass
    except OSError as error:
        raise unwritable(path, error) from None


def check_replaceable(path: Path) -> None:
    """Raise InputError for a file that a run would replace and that holds something else."""
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        load_run(path)
    except InputError as error:
        raise InputError(
            f"a run would replace {path}: {error.seen}",
            expected="a new file, or a run",
            remedy="name another with --out, or take that one away",
        ) from None


def load_run(path: Path) -> Run:
    """Read a stored run. Raises InputError for a file that is none."""
    return load(path, _RUN, what="a run", by="plumb eval run")
