"""A second opinion on answers: who is asked, what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evals.dataset import load_dataset
from evals.judge import Judge, make_judge
from evals.records import Run
from evals.run import evaluate
from rag.engine import Engine
from rag.errors import ModelError
from rag.settings import Settings

Write = Callable[[Sequence[dict[str, Any]]], Path]


def judge(settings: Settings, *entries: dict[str, Any]) -> Judge:
    (settings.root / "judge.json").write_text(json.dumps(entries))
    roles = settings.roles.model_copy(update={"judge": "scripted:judge.json"})
    made = make_judge(settings.model_copy(update={"roles": roles}))
    assert made
    return made


def test_no_judge_is_asked_where_the_rule_decides(settings: Settings) -> None:
    assert make_judge(settings) is None


def test_grades_are_kept_and_counted(
    engine: Engine, settings: Settings, write_cases: Write, cases: list[dict[str, Any]]
) -> None:
    opinion = judge(
        settings, {"match": "Facts of a right answer: 28\n.*28 working", "reply": "Yes"}, {"match": "", "reply": "No"}
    )
    *_, done = evaluate(engine, load_dataset(write_cases(cases)), judge=opinion)
    assert isinstance(done, Run)
    assert [record.judged for record in done.records] == [1.0, 0.0, None]
    figure = done.summary.overall["judged"]
    assert (figure.value, figure.cases) == (0.5, 2)
    assert done.models["judge"] == ("scripted:judge.json",)
    assert [prompt.id for prompt in done.prompts] == ["answer", "prior", "propose", "confirm", "rewrite", "judge"]


def test_without_a_judge_nothing_is_judged(engine: Engine, write_cases: Write, cases: list[dict[str, Any]]) -> None:
    *_, done = evaluate(engine, load_dataset(write_cases(cases)))
    assert isinstance(done, Run)
    assert done.summary.overall["judged"].value is None


def test_a_judge_that_fails_ends_the_run(
    engine: Engine, settings: Settings, write_cases: Write, cases: list[dict[str, Any]]
) -> None:
    with pytest.raises(ModelError, match="no quota"):
        list(
            evaluate(
                engine, load_dataset(write_cases(cases)), judge=judge(settings, {"match": "", "error": "no quota"})
            )
        )
