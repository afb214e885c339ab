"""A run as an experiment in Langfuse: its answers tied to the items of its dataset, and their scores.

Langfuse makes an experiment of the spans that name it. So what ties a trace to its item is noted in the file of traces,
from where it is delivered like any trace, at least once; only the scores are sent at once, each with an id that stays.
Doing it again changes nothing.

Import this file where it is used: it brings in the langfuse package, which takes a second.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langfuse.api.commons import ScoreDataType
from langfuse.api.scores import CreateScoreRequest

from evals.dataset_server import DatasetServer, Held
from evals.items import Item, case_id, item_of
from evals.records import Record, Run
from rag.case import Case
from rag.errors import InputError
from rag.observe.experiment import ENVIRONMENT, experiment_id
from rag.observe.spans.build import root_id
from rag.observe.spool import Spool

# So many scores go in one request.
AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of a run: its experiments, how many answers and scores they have, how many have no place, and why.

    Where each question was asked several times there is one experiment for each time.
    """

    dataset: str
    experiments: tuple[str, ...]
    answers: int
    scores: int
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tie:
    """An answer with its case, the item of that, and its experiment."""

    record: Record
    case: Case
    item: Item
    trace_id: str
    experiment: str


def publish(run: Run, server: DatasetServer, spool: Spool) -> Published:
    """Make the run an experiment on the dataset that is called like its own; the traces are queued for delivery.

    Raises InputError where the server has no such dataset, DeliveryError and StoreError.
    """
    held = server.find(run.dataset.name)
    if held is None:
        raise InputError(
            f"{server.where()} has no dataset '{run.dataset.name}'",
            expected="the dataset of the run",
            remedy=f"'plumb eval push {run.dataset.path}' makes it",
        )
    left_out = Counter[str]()
    ties = list(_ties(run, held, server.items(held.name), left_out))
    linked = [tie for tie in ties if _is_linked(tie, run, held, spool, left_out)]
    experiments = tuple(dict.fromkeys(tie.experiment for tie in linked))
    scores = [score for tie in linked for score in _scores(tie, run)]
    scores += _overall(run, held) if len(experiments) == 1 else []
    for start in range(0, len(scores), AT_ONCE):
        server.send_scores(scores[start : start + AT_ONCE])
    return Published(
        dataset=held.name,
        experiments=experiments,
        answers=len(linked),
        scores=len(scores),
        left_out=dict(left_out),
    )


def _ties(run: Run, held: Held, items: Sequence[Item], left_out: Counter[str]) -> Iterator[_Tie]:
    cases = {case.id: case for case in run.cases}
    known = {case_id(item, held.name): item for item in items}
    for record in run.records:
        item = known.get(record.case_id)
        if record.answer is None:
            left_out["failed"] += 1
        elif item is None:
            left_out["not in the dataset there"] += 1
        else:
            yield _Tie(
                record=record,
                case=cases[record.case_id],
                item=item,
                trace_id=record.answer.trace_id,
                experiment=_name(run, record.repetition),
            )


def _is_linked(tie: _Tie, run: Run, held: Held, spool: Spool, left_out: Counter[str]) -> bool:
    """Tie the trace to its item."""
    told = {
        "id": experiment_id(held.project_id, held.id, tie.experiment),
        "name": tie.experiment,
        "dataset_id": held.id,
        "item_id": tie.item.id,
        "metadata": _metadata(run),
    }
    expected = json.dumps(item_of(tie.case, tie.item.id).expected, ensure_ascii=False)
    try:
        spool.add_facts(tie.trace_id, {"experiment": told, "expected": expected})
    except InputError:
        left_out["without a trace here"] += 1
        return False
    return True


def _name(run: Run, repetition: int) -> str:
    return f"{run.id} #{repetition + 1}" if repetition else run.id


def _metadata(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "config_hash": run.config_hash,
        "code_version": run.code_version,
        "models": {role: list(models) for role, models in run.models.items()},
        "prompts": [f"{prompt.id}@{prompt.version} {prompt.sha}" for prompt in run.prompts],
        "index": f"{run.index.name}, {run.index.chunks} chunks",
        "dataset_sha256": run.dataset.sha256,
    }


def _scores(tie: _Tie, run: Run) -> Iterator[CreateScoreRequest]:
    """The scores of one answer, on its trace and the span that stands for it."""
    for name, value in tie.record.scores.items():
        if value is not None:
            yield CreateScoreRequest(
                id=f"{name}-{tie.trace_id}",
                trace_id=tie.trace_id,
                observation_id=root_id(tie.trace_id),
                name=name,
                value=float(value),
                data_type=ScoreDataType.NUMERIC,
                environment=ENVIRONMENT,
                timestamp=_begun(run),
            )


def _overall(run: Run, held: Held) -> list[CreateScoreRequest]:
    """The figures of the whole run, on its experiment."""
    experiment = experiment_id(held.project_id, held.id, run.id)
    return [
        CreateScoreRequest(
            id=f"{name}-{experiment}",
            dataset_run_id=experiment,
            name=name,
            value=float(figure.value),
            data_type=ScoreDataType.NUMERIC,
            timestamp=_begun(run),
        )
        for name, figure in run.summary.overall.items()
        if figure.value is not None
    ]


def _begun(run: Run) -> datetime:
    # A score that comes again with the same id replaces the first only if it has the same time.
    return datetime.fromisoformat(run.started)
