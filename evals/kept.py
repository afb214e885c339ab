"""The runs that are kept, each by what tells it, without its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from evals.baselines import baselines
from evals.records import FORMAT, Figure, Format, Index, Source
from rag.settings import Settings

# What most is asked of a run: what it is listed with.
SHOWN = ("correct", "recall_at_5", "declined_unanswerable", "supported")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A kept run. `figures` holds all that it has, as they were scored when it was kept.

    `asked` of its `cases` were asked, each up to `repeat` times. `cost` is in the currency of the prices, None where
    that of some answer is unknown: then it is `known_cost` at least. `baselines` are the names it has.
    """

    id: str
    path: str
    started: str
    ended: str
    dataset: Source
    cases: int
    asked: int
    failed: int
    repeat: int
    figures: Mapping[str, Figure]
    models: Mapping[str, tuple[str, ...]]
    config_hash: str
    code_version: str
    index: Index
    cost: float | None
    known_cost: float
    baselines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A file among the runs that is none, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    case_id: str
    error: str | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Summary:
    overall: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """The part of a run that is read here: answers and passages, nearly all of its file, are passed over."""

    id: str
    started: str
    ended: str
    dataset: Source
    summary: _Summary
    models: Mapping[str, tuple[str, ...]]
    index: Index
    config_hash: str
    code_version: str
    cases: tuple[_Case, ...]
    records: tuple[_Record, ...]
    repeat: int = 1
    format: Format = FORMAT


_KEPT = TypeAdapter(_Kept)


def kept_runs(settings: Settings) -> tuple[Sequence[KeptRun], Sequence[Unreadable]]:
    """The runs in the data folder and those that are baselines elsewhere, newest first; and the files that are none."""
    named = _named(settings)
    runs: list[KeptRun] = []
    none: list[Unreadable] = []
    for path in sorted({*(settings.data_path / "runs").resolve().glob("*.json"), *named}):
        try:
            runs.append(_run(path, _KEPT.validate_json(path.read_bytes()), named.get(path, ())))
        except OSError as error:
            none.append(Unreadable(path=str(path), why=str(error.strerror)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            none.append(Unreadable(path=str(path), why=f"{where}: {first['msg']}"))
    return sorted(runs, key=lambda run: (run.started, run.id), reverse=True), none


def _named(settings: Settings) -> dict[Path, tuple[str, ...]]:
    """The names of baselines by the file of their run."""
    found: dict[Path, tuple[str, ...]] = {}
    for one in baselines(settings).values():
        path = (settings.root / one.path).resolve()
        found[path] = (*found.get(path, ()), one.name)
    return found


def _run(path: Path, kept: _Kept, names: tuple[str, ...]) -> KeptRun:
    known = [record.cost for record in kept.records if record.cost is not None]
    return KeptRun(
        id=kept.id,
        path=str(path),
        started=kept.started,
        ended=kept.ended,
        dataset=kept.dataset,
        cases=len(kept.cases),
        asked=len({record.case_id for record in kept.records}),
        failed=sum(record.error is not None for record in kept.records),
        repeat=kept.repeat,
        figures=kept.summary.overall,
        models=kept.models,
        config_hash=kept.config_hash,
        code_version=kept.code_version,
        index=kept.index,
        cost=sum(known) if len(known) == len(kept.records) else None,
        known_cost=sum(known),
        baselines=names,
    )
