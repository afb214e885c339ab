"""The answers of a kept run, graded by the judge of today."""

from __future__ import annotations

import logging
from dataclasses import replace

from evals.ask import graded
from evals.judge import Judge, make_judge
from evals.metrics import score
from evals.records import Record, Run
from rag.case import Case
from rag.errors import ConfigError, ModelError
from rag.settings import Settings

log = logging.getLogger("plumbline")


def regrade(run: Run, settings: Settings) -> Run:
    """The run with this judge's grades in the place of others; what it can't grade has none.

    Raises ConfigError where no judge is set.
    """
    judge = make_judge(settings)
    if judge is None:
        raise ConfigError("no judge is set", expected="a model for roles.judge", remedy="name one in plumbline.toml")
    cases = {case.id: case for case in run.cases}
    records = tuple(_regraded(judge, cases[record.case_id], record) for record in run.records)
    return score(replace(run, records=records, judge=judge.used))


def _regraded(judge: Judge, case: Case, record: Record) -> Record:
    try:
        return graded(judge, case, replace(record, judged=None))
    except ModelError as error:
        log.warning("%s is kept without a grade: %s", case.id, error)
        return replace(record, judged=None)
