"""Ask every case and keep what happened: the one runner of evals."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from evals.answering import answering_hash
from evals.ask import Asker
from evals.dataset import Dataset
from evals.judge import Judge
from evals.machine import this_machine
from evals.metrics import score, summarize
from evals.records import Index, Record, Run, Source, UsedPrompt
from evals.resume import check_same
from evals.selection import chosen
from rag.case import Case
from rag.engine import Engine
from rag.errors import BudgetExceeded, InputError, PlumbError
from rag.llm.price import cost_text, total
from rag.settings import Settings, shown
from rag.version import code_version

# So many failures in a row are no accident of single questions.
PATIENCE = 3
# Of a run that goes on, what is there is given to be kept so often: no more than this is lost.
KEEP_EVERY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How cases are asked: each `repeat` times, `threads` at once, until `max_cost` is used up.

    `max_cost` is in the currency of the prices; the questions that are under way then are still answered. It is held
    against what is known: a grade that failed, or by a judge without a price, counts as nothing.
    """

    repeat: int = 1
    threads: int = 1
    max_cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The run begins: so many questions in all, of which so many are answered already."""

    run_id: str
    questions: int
    done: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question is done, well or with an error."""

    case: Case
    record: Record


Progress = Started | Asked | Run
Job = tuple[Case, int]
Done = tuple[Case, Record, PlumbError | None]


def evaluate(
    engine: Engine,
    dataset: Dataset,
    *,
    judge: Judge | None = None,
    plan: Plan | None = None,
    earlier: Run | None = None,
) -> Iterator[Progress]:
    """Ask the cases of the dataset through the engine, then yield the scored Run; nothing is written.

    All are asked with the same prompts: the engine stays with those of now, also where Langfuse keeps them.

    A `judge` grades each answer whose case has facts or an expected answer. An answer that it can't grade is kept
    without a grade, and counts as a failure only for whether going on is in vain. With an `earlier` run of the same
    cases by the same system only what has no answer there is asked; raises InputError if it is not.

    A question that fails is recorded and counted. The error is raised when going on is in vain: a setting or a
    model file is wrong, every question so far failed, or the last three failed because a part of the system did;
    BudgetExceeded when `max_cost` is used up, and before the first question where an answer model has no price. While
    it goes on a Run with the records so far, not scored, is yielded now and then, and a scored one before an error or
    an interrupt is raised, if one of them has an answer.
    """
    plan, cases = plan or Plan(), dataset.cases
    _require_prices(engine.settings, plan)
    engine.pin_prompts()
    begun = _begun(engine, dataset, plan, judge)
    if earlier:
        check_same(earlier, begun)
        begun = replace(begun, id=earlier.id, started=earlier.started)
    records = [record for record in earlier.records if record.answer] if earlier else []
    questions = len(cases) * plan.repeat
    yield Started(run_id=begun.id, questions=questions, done=len(records))
    engine.warm()
    asker = Asker(engine=engine, judge=judge, session_id=f"eval:{begun.id}")
    errors: list[PlumbError | None] = []
    kept_at = time.monotonic()
    try:
        for case, record, error in _asked(asker, _jobs(cases, records, plan), plan.threads):
            records.append(record)
            errors.append(error)
            _stop_in_vain(errors, remaining=questions - len(records))
            yield Asked(case=case, record=record)
            if time.monotonic() - kept_at > KEEP_EVERY_S and _has_answer(records):
                kept_at = time.monotonic()
                yield _so_far(begun, records)
        if len(records) < questions:
            raise _used_up(records, plan)
    except (PlumbError, KeyboardInterrupt):
        if _has_answer(records):
            yield score(_so_far(begun, records))
        raise
    yield score(_so_far(begun, records))


def run_path(settings: Settings, run_id: str) -> Path:
    """Where a run is kept unless another place is named."""
    return settings.data_path / "runs" / f"{run_id}.json"


def _jobs(cases: Sequence[Case], records: Sequence[Record], plan: Plan) -> Iterator[Job]:
    """What is still to be asked, every case once before one comes again; ends when the budget is used up."""
    answered = {(record.case_id, record.repetition) for record in records}
    for repetition, case in product(range(plan.repeat), cases):
        if (case.id, repetition) not in answered:
            if _is_used_up(records, plan):
                return
            yield case, repetition


def _is_used_up(records: Sequence[Record], plan: Plan) -> bool:
    """Whether no more may be asked; an answer whose cost nobody knows might cost any."""
    if plan.max_cost is None:
        return False
    spent = total(record.cost for record in records if record.answer)
    return spent is None or spent >= plan.max_cost


def _require_prices(settings: Settings, plan: Plan) -> None:
    """Raise BudgetExceeded where a cost is bounded and that of what an answer model reads or writes is unknown."""
    for name in settings.roles.candidates("answer") if plan.max_cost is not None else ():
        prices = settings.candidate(name)
        if prices.price_in is None or prices.price_out is None:
            raise _unpriced(f" of {name}", f' price_in and price_out in [candidates."{name}"]')


def _unpriced(of: str = "", prices: str = " prices") -> BudgetExceeded:
    return BudgetExceeded(
        f"what an answer{of} costs is not known",
        expected="a price for each model",
        remedy=f"set{prices}, or no --max-cost",
    )


def _used_up(records: Sequence[Record], plan: Plan) -> BudgetExceeded:
    spent = total(record.cost for record in records if record.answer)
    if spent is None:
        return _unpriced()
    return BudgetExceeded(
        f"{len(records)} questions cost {cost_text(spent)}",
        expected=f"at most {cost_text(plan.max_cost)}",
        remedy="go on with --resume and a higher --max-cost",
    )


def _asked(asker: Asker, jobs: Iterator[Job], threads: int) -> Iterator[Done]:
    """Every job done, in the order in which they end. One at a time is asked in this thread, so Ctrl-C stops it."""
    if threads == 1:
        for case, repetition in jobs:
            yield case, *asker.ask(case, repetition)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="plumb-eval") as pool:
        running: dict[Future[tuple[Record, PlumbError | None]], Case] = {}
        for case, repetition in jobs:
            running[pool.submit(asker.ask, case, repetition)] = case
            if len(running) == threads:
                yield from _ended(running)
        while running:
            yield from _ended(running)


def _ended(running: dict[Future[tuple[Record, PlumbError | None]], Case]) -> Iterator[Done]:
    """Wait for the next to end, and take it out."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), *future.result()


def _begun(engine: Engine, dataset: Dataset, plan: Plan, judge: Judge | None) -> Run:
    """A run that has asked nothing yet."""
    settings, started = engine.settings, datetime.now(UTC)
    prompts = (*engine.prompts, judge.prompt) if judge else engine.prompts
    return Run(
        id=f"{stamp(started)}-{dataset.name}",
        started=_iso(started),
        ended="",
        dataset=Source(
            name=dataset.name,
            path=_from_root(dataset.path, settings),
            sha256=dataset.sha256,
            selection=chosen(dataset.selection),
        ),
        summary=summarize((), ()),
        models={},
        prompts=tuple(UsedPrompt(id=prompt.id, version=prompt.version, sha=prompt.sha) for prompt in prompts),
        index=Index(name=engine.searcher.index.name, chunks=engine.searcher.index.store.count()),
        config_hash=settings.config_hash(),
        code_version=code_version(),
        machine=this_machine(),
        config=shown(settings),
        cases=dataset.cases,
        records=(),
        repeat=plan.repeat,
        judge=judge.used if judge else None,
        answering_hash=answering_hash(settings),
    )


def _so_far(begun: Run, records: Sequence[Record]) -> Run:
    """The run with these records, not scored."""
    place = {case.id: number for number, case in enumerate(begun.cases)}
    ordered = sorted(records, key=lambda record: (place[record.case_id], record.repetition))
    return replace(begun, records=tuple(ordered), models=models_of(ordered), ended=_iso(datetime.now(UTC)))


def _has_answer(records: Sequence[Record]) -> bool:
    return any(record.answer for record in records)


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


def models_of(records: Sequence[Record]) -> dict[str, tuple[str, ...]]:
    """The models that really answered, by role."""
    named = {(role, model) for record in records if record.answer for role, model in record.answer.models.items()}
    return {role: tuple(sorted(model for r, model in named if r == role)) for role in sorted({r for r, _ in named})}


def _from_root(path: str, settings: Settings) -> str:
    """The path from the project's folder, if it lies below: wherever one stood, it is found from there."""
    whole, root = Path(path).resolve(), settings.root.resolve()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)


def stamp(moment: datetime) -> str:
    """A UTC time in the id of a run: the ids of later runs sort behind, and no two that follow each other are alike."""
    return f"{moment:%Y-%m-%dT%H%M%S}.{moment.microsecond // 1000:03}Z"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
