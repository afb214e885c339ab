"""Ask every case and keep what happened: the one runner of evals."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.dataset import Dataset
from evals.judge import Judge
from evals.machine import this_machine
from evals.metrics import score, summarize
from evals.records import Given, Index, Record, Retrieved, Run, Source, UsedPrompt
from rag.case import Case
from rag.engine import Engine
from rag.errors import ConfigError, InputError, ModelError, PlumbError, WeightsError
from rag.llm.price import total
from rag.settings import Settings, shown
from rag.types import Answer, Hit, Passage
from rag.version import code_version

log = logging.getLogger("plumbline")
# So many failures in a row are no accident of single questions.
PATIENCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The run begins with so many cases."""

    run_id: str
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One case is done, well or with an error."""

    case: Case
    record: Record


Progress = Started | Asked | Run


def evaluate(
    engine: Engine,
    dataset: Dataset,
    *,
    cases: Sequence[Case] | None = None,
    selection: Mapping[str, Any] | None = None,
    judge: Judge | None = None,
) -> Iterator[Progress]:
    """Ask the cases (default: all) through the engine, then yield the scored Run; nothing is written.

    A `judge` grades each answer whose case has facts. An answer that it can't grade is kept without a grade, and counts
    as a failure only for whether going on is in vain.

    A question that fails is recorded and counted. The error is raised when going on is in vain: a setting or a
    model file is wrong, every question so far failed, or the last three failed because a part of the system did.
    Before an error or an interrupt is raised, a Run with the records so far is yielded, if one of them has an answer.
    """
    chosen = tuple(dataset.cases if cases is None else cases)
    begun = _begin(engine, dataset, chosen, selection or {}, judge)
    yield Started(run_id=begun.id, cases=len(chosen))
    engine.warm()
    records: list[Record] = []
    errors: list[PlumbError | None] = []
    try:
        for case in chosen:
            record, error = _asked_and_graded(engine, case, judge, session_id=f"eval:{begun.id}")
            records.append(record)
            errors.append(error)
            _stop_in_vain(errors, remaining=len(chosen) - len(errors))
            yield Asked(case=case, record=record)
    except (PlumbError, KeyboardInterrupt):
        if any(record.answer for record in records):
            yield _finished(begun, records)
        raise
    yield _finished(begun, records)


def run_path(settings: Settings, run_id: str) -> Path:
    """Where a run is kept unless another place is named."""
    return settings.data_path / "runs" / f"{run_id}.json"


def _begin(
    engine: Engine, dataset: Dataset, cases: Sequence[Case], selection: Mapping[str, Any], judge: Judge | None
) -> Run:
    """A run that has asked nothing yet."""
    settings, started = engine.settings, datetime.now(UTC)
    prompts = (*engine.prompts, judge.prompt) if judge else engine.prompts
    return Run(
        id=f"{started:%Y-%m-%dT%H-%M-%SZ}-{dataset.name}",
        started=_iso(started),
        ended="",
        dataset=Source(name=dataset.name, path=dataset.path, sha256=dataset.sha256, selection=selection),
        summary=summarize((), ()),
        models={},
        prompts=tuple(UsedPrompt(id=prompt.id, version=prompt.version, sha=prompt.sha) for prompt in prompts),
        index=Index(name=engine.searcher.index.name, chunks=engine.searcher.index.store.count()),
        config_hash=settings.config_hash(),
        code_version=code_version(),
        machine=this_machine(),
        config=shown(settings),
        cases=tuple(cases),
        records=(),
    )


def _finished(begun: Run, records: Sequence[Record]) -> Run:
    return score(replace(begun, records=tuple(records), models=_models(records), ended=_iso(datetime.now(UTC))))


def _ask(engine: Engine, case: Case, *, session_id: str) -> tuple[Record, PlumbError | None]:
    try:
        for event in engine.stream(case.question, history=case.history, session_id=session_id):
            if isinstance(event, Answer):
                return _record(case, event), None
        raise ModelError("the engine ended without an answer")
    except (ConfigError, WeightsError):
        raise
    except PlumbError as error:
        return Record(case_id=case.id, answer=None, error=str(error), error_kind=type(error).__name__), error


def _asked_and_graded(
    engine: Engine, case: Case, judge: Judge | None, *, session_id: str
) -> tuple[Record, PlumbError | None]:
    record, error = _ask(engine, case, session_id=session_id)
    if judge is None or not case.facts:
        return record, error
    try:
        return _graded(case, record, judge), error
    except ModelError as failure:
        log.warning("%s is kept without a grade: %s", case.id, failure)
        return replace(record, cost=None), failure


def _graded(case: Case, record: Record, judge: Judge) -> Record:
    """The record with the judge's grade; where there is no answer, there is none that could be right."""
    answer = record.answer
    if answer is None or answer.abstained:
        return replace(record, judged=0.0)
    grade = judge.grade(case, answer.text)
    told = replace(answer, models={**answer.models, "judge": grade.model})
    return replace(record, judged=grade.chance, answer=told, cost=total((record.cost, grade.cost)))


def _stop_in_vain(errors: Sequence[PlumbError | None], *, remaining: int) -> None:
    last = errors[-1]
    if last is None:
        return
    all_failed = None not in errors and (len(errors) >= PATIENCE or not remaining)
    recent = errors[-PATIENCE:]
    # An InputError is the question's fault: however many there are, the next question may be fine.
    part_failed = len(recent) == PATIENCE and not any(e is None or isinstance(e, InputError) for e in recent)
    if all_failed or part_failed:
        raise last


def _record(case: Case, answer: Answer) -> Record:
    return Record(
        case_id=case.id,
        answer=Given(
            text=answer.text,
            abstained=answer.abstained,
            citations=answer.citations,
            verdict=answer.verdict,
            usage=answer.usage,
            models=dict(answer.models),
            trace_id=answer.trace_id,
            timings_ms={name: value for name, value in answer.timings_ms.items() if value is not None},
        ),
        hits=tuple(_retrieved(hit, answer.passages) for hit in answer.hits),
        cost=answer.cost,
    )


def _retrieved(hit: Hit, passages: Sequence[Passage]) -> Retrieved:
    chunk = hit.chunk
    passage = next((passage for passage in passages if passage.hit.chunk.id == chunk.id), None)
    return Retrieved(
        marker=passage.marker if passage else None,
        shown=passage.text if passage else None,
        uri=chunk.uri,
        title=chunk.title,
        page=chunk.page,
        headings=chunk.headings,
        text=chunk.text,
        score=hit.score,
        scores=dict(hit.scores),
        chunk_id=chunk.id,
        revision=chunk.revision,
    )


def _models(records: Sequence[Record]) -> dict[str, tuple[str, ...]]:
    named = {(role, model) for record in records if record.answer for role, model in record.answer.models.items()}
    return {role: tuple(sorted(model for r, model in named if r == role)) for role in sorted({r for r, _ in named})}


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
