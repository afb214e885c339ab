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
from evals.report import cost_told
from evals.run import evaluate
from rag.engine import Engine
from rag.errors import ModelError
from rag.llm.price import cost_text
from rag.roles import CandidateSettings
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
    assert [prompt.id for prompt in done.prompts] == [
        "answer",
        "prior",
        "propose",
        "confirm",
        "alone",
        "rewrite",
        "judge",
    ]


def test_a_grade_costs_too(
    settings: Settings, write_cases: Write, cases: list[dict[str, Any]], broken: dict[str, Any]
) -> None:
    prices = CandidateSettings(price_in=1, price_out=1)
    named = {"scripted:script.json": prices, "scripted:judge.json": prices}
    priced = settings.model_copy(update={"candidates": named})
    dataset = load_dataset(write_cases([*cases, broken]))
    *_, alone = evaluate(Engine.from_settings(priced), dataset)
    *_, graded = evaluate(Engine.from_settings(priced), dataset, judge=judge(priced, {"match": "", "reply": "Yes"}))
    *_, unpriced = evaluate(Engine.from_settings(settings), dataset)
    assert isinstance(alone, Run)
    assert isinstance(graded, Run)
    assert isinstance(unpriced, Run)
    first, second, third, failed = (record.cost for record in alone.records)
    leave, car, moon, _ = (record.cost for record in graded.records)
    assert first
    assert second
    assert leave
    assert car
    assert (leave > first, car > second, moon == third, failed) == (True, True, True, None)
    assert cost_told(alone.records[:3]) == cost_text(first + second + (third or 0))
    assert cost_told(alone.records).startswith("unknown: at least 0.00")
    assert cost_told(alone.records).endswith(", 1 of 4 unknown")
    assert cost_told(unpriced.records) == "unknown: at least 0, 4 of 4 unknown"


def test_without_a_judge_nothing_is_judged(engine: Engine, write_cases: Write, cases: list[dict[str, Any]]) -> None:
    *_, done = evaluate(engine, load_dataset(write_cases(cases)))
    assert isinstance(done, Run)
    assert done.summary.overall["judged"].value is None


@pytest.mark.parametrize("told", [{"error": "no quota"}, {"reply": "The answer is wrong."}, {"reply": ""}])
def test_an_answer_that_can_not_be_graded_is_kept_without_a_grade(
    engine: Engine, settings: Settings, write_cases: Write, cases: list[dict[str, Any]], told: dict[str, str]
) -> None:
    *_, done = evaluate(engine, load_dataset(write_cases(cases)), judge=judge(settings, {"match": "", **told}))
    assert isinstance(done, Run)
    assert [record.judged for record in done.records] == [None, None, None]
    assert done.summary.overall["correct"].cases == 2


def test_a_judge_that_fails_again_and_again_ends_the_run(
    engine: Engine, settings: Settings, write_cases: Write, cases: list[dict[str, Any]]
) -> None:
    again = [{**cases[0], "id": str(number)} for number in range(4)]
    opinion = judge(settings, {"match": "", "error": "no quota"})
    with pytest.raises(ModelError, match="no quota"):
        list(evaluate(engine, load_dataset(write_cases(again)), judge=opinion))


def test_a_question_that_failed_was_not_answered_rightly(
    engine: Engine, settings: Settings, write_cases: Write, cases: list[dict[str, Any]]
) -> None:
    failing = {**cases[0], "id": "failing", "question": "What is broken?"}
    kind = judge(settings, {"match": "", "reply": "Yes"})
    *_, done = evaluate(engine, load_dataset(write_cases([*cases, failing])), judge=kind)
    assert isinstance(done, Run)
    assert done.records[-1].judged == 0.0
