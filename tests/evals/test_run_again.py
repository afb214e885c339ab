"""Runs that ask more than once, at the same time, within a budget, and that go on where they ended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from evals import progress
from evals import run as runner
from evals.dataset import Dataset, load_dataset, select
from evals.judge import make_judge
from evals.records import Run
from evals.run import Asked, Plan, Started, evaluate
from rag.engine import Engine
from rag.errors import BudgetExceeded, InputError, ModelError
from rag.roles import CandidateSettings
from rag.settings import Settings, load_settings

Write = Callable[[Sequence[dict[str, Any]]], Path]


@pytest.fixture
def dataset(write_cases: Write, cases: list[dict[str, Any]]) -> Dataset:
    return load_dataset(write_cases(cases))


def run(engine: Engine, dataset: Dataset, plan: Plan | None = None, earlier: Run | None = None) -> Run:
    *_, done = evaluate(engine, dataset, plan=plan, earlier=earlier)
    assert isinstance(done, Run)
    return done


def kept(events: Iterator[object], error: type[Exception], said: str | None = None) -> list[Run]:
    """The runs that came before the error."""
    runs: list[Run] = []
    with pytest.raises(error, match=said):
        runs.extend(event for event in events if isinstance(event, Run))
    return runs


def test_every_case_is_asked_before_one_comes_again(engine: Engine, dataset: Dataset) -> None:
    started, *asked, done = evaluate(engine, dataset, plan=Plan(repeat=2))
    assert isinstance(started, Started)
    assert started.questions == 6
    assert [e.record.repetition for e in asked if isinstance(e, Asked)] == [0, 0, 0, 1, 1, 1]
    assert isinstance(done, Run)
    assert [(r.case_id, r.repetition) for r in done.records][:3] == [("leave", 0), ("leave", 1), ("car", 0)]
    assert done.summary.overall["correct"].cases == 2
    assert done.is_whole


def test_several_at_once_give_the_same_as_one_after_the_other(
    engine: Engine, write_cases: Write, cases: list[dict[str, Any]]
) -> None:
    many = load_dataset(write_cases([{**case, "id": f"{case['id']}-{n}"} for n in range(8) for case in cases]))
    alone, together = run(engine, many), run(engine, many, Plan(threads=6))
    assert [(r.case_id, r.answer.text) for r in together.records if r.answer] == [
        (r.case_id, r.answer.text) for r in alone.records if r.answer
    ]
    assert together.summary.overall["correct"] == alone.summary.overall["correct"]


def test_a_run_goes_on_where_it_ended(
    settings: Settings, engine: Engine, write_cases: Write, cases: list[Any], broken: dict[str, Any]
) -> None:
    dataset = load_dataset(write_cases([*cases, *({**broken, "id": str(n)} for n in range(4))]))
    (partial,) = kept(evaluate(engine, dataset), ModelError)
    assert not partial.is_whole
    mended = [line for line in json.loads((settings.root / "script.json").read_text()) if "error" not in line]
    (settings.root / "script.json").write_text(json.dumps(mended))
    started, *asked, done = evaluate(Engine.from_settings(settings), dataset, earlier=partial)
    assert isinstance(started, Started)
    assert (started.questions, started.done) == (7, 3)
    assert [e.case.id for e in asked if isinstance(e, Asked)] == ["0", "1", "2", "3"]
    assert isinstance(done, Run)
    assert (done.id, done.is_whole) == (partial.id, True)
    assert [r.case_id for r in done.records] == ["leave", "car", "moon", "0", "1", "2", "3"]


def test_another_system_does_not_go_on_with_a_run(settings: Settings, engine: Engine, dataset: Dataset) -> None:
    done = run(engine, dataset)
    changed = {"retrieve": settings.retrieve.model_copy(update={"limit": 1})}
    other = Engine.from_settings(settings.model_copy(update=changed))
    said = "with settings retrieve.limit 20, now it is retrieve.limit 1; expected the same questions to the same system"
    with pytest.raises(InputError, match=re.escape(said)):
        run(other, dataset, earlier=done)
    with pytest.raises(InputError, match=r"was begun with cases 3 of .*each 1 times, now it is .*each 2 times"):
        run(engine, dataset, Plan(repeat=2), earlier=done)
    with pytest.raises(InputError, match="was begun with dataset"):
        run(engine, replace(dataset, sha256="0" * 64), earlier=done)


def test_what_can_not_change_an_answer_keeps_no_run_from_going_on(
    settings: Settings, engine: Engine, dataset: Dataset
) -> None:
    done = run(engine, dataset)
    beside: dict[str, Any] = {
        "ui": settings.ui.model_copy(update={"cases": "other.jsonl"}),
        "trace": settings.trace.model_copy(update={"slow_s": 1.0}),
        "gate": settings.gate.model_copy(update={"margin": 0.2}),
        "budget": settings.budget.model_copy(update={"day_tokens": 1_000_000}),
    }
    assert run(Engine.from_settings(settings.model_copy(update=beside)), dataset, earlier=done).is_whole
    both = {**beside, "context": settings.context.model_copy(update={"budget_tokens": 300})}
    said = "was begun with settings context.budget_tokens 200, now it is context.budget_tokens 300; expected"
    with pytest.raises(InputError, match=re.escape(said)):
        run(Engine.from_settings(settings.model_copy(update=both)), dataset, earlier=done)


def test_long_settings_are_told_where_they_differ(settings: Settings, engine: Engine, dataset: Dataset) -> None:
    long = settings.llama_index.model_copy(update={"llm_args": {f"arg{n}": f"{'x' * 100}{n}" for n in range(7)}})
    other = long.model_copy(update={"llm_args": {name: f"{value}!" for name, value in long.llm_args.items()}})
    done = run(Engine.from_settings(settings.model_copy(update={"llama_index": long})), dataset)
    said = (
        r"with settings llama_index\.llm_args\.arg0 …x+0, .* and 2 more, now it is llama_index\.llm_args\.arg0 …x+0!, "
    )
    with pytest.raises(InputError, match=said):
        run(Engine.from_settings(settings.model_copy(update={"llama_index": other})), dataset, earlier=done)


def test_a_secret_that_differs_is_not_told(settings: Settings, engine: Engine, dataset: Dataset) -> None:
    done = run(engine, dataset)
    hidden = settings.llama_index.model_copy(update={"llm_args": {"api_key": "sk-1"}})
    one = settings.model_copy(update={"llama_index": hidden})
    other = one.model_copy(update={"llama_index": hidden.model_copy(update={"llm_args": {"api_key": "sk-2"}})})
    with pytest.raises(InputError, match=r"now it is .*llama_index\.llm_args\.api_key \*\*\*; expected") as raised:
        run(Engine.from_settings(one), dataset, earlier=done)
    assert "sk-" not in str(raised.value)
    done = run(Engine.from_settings(one), dataset)
    with pytest.raises(InputError, match=r"with settings \w+ \(a value that is not shown\), now it is \w+;") as raised:
        run(Engine.from_settings(other), dataset, earlier=done)
    assert "sk-" not in str(raised.value)


def test_the_whole_dataset_is_the_same_part_however_it_was_chosen(engine: Engine, dataset: Dataset) -> None:
    all_of_it = select(dataset)
    done = run(engine, all_of_it)
    assert done.dataset.selection == {}
    older = replace(done, dataset=replace(done.dataset, selection={"split": None, "tags": [], "limit": None}))
    assert run(engine, dataset, earlier=older).is_whole
    with pytest.raises(
        InputError,
        match=r"with cases 3 of the whole dataset, each 1 times, now it is 1 of the part tags hr, limit 2, each",
    ):
        run(engine, select(dataset, tags=["hr"], limit=2), earlier=done)


def test_what_goes_on_with_a_run_is_told_as_a_whole_command(
    engine: Engine, write_cases: Write, broken: dict[str, Any], cases: list[Any], tmp_path: Path
) -> None:
    dataset = load_dataset(write_cases([*cases, *({**broken, "id": str(n)} for n in range(4))]))
    out = tmp_path / "my run.json"
    typed = ["plumb", "eval", "run", "questions.jsonl", "--set", "retrieve.limit=5", "--index", "v1"]
    for again, told in (
        (typed, f"; go on with: {' '.join(typed)} --resume '{out}'"),
        ([*typed, "--resume", str(out)], f"; go on with: {' '.join(typed)} --resume '{out}'"),
        ([], ""),
    ):
        said = StringIO()
        with redirect_stderr(said), pytest.raises(ModelError):
            progress.kept(evaluate(engine, dataset), out, engine.settings, again=again)
        seen = " ".join(said.getvalue().split())
        assert seen.endswith(f"the run ends after 6 of 7 questions, kept in {out}{told}"), seen


def test_a_run_ends_when_its_budget_is_used_up(settings: Settings, dataset: Dataset) -> None:
    told = (settings.root / "plumbline.toml").read_text()
    prices = '[candidates."scripted:script.json"]\nprice_in = 1.0\nprice_out = 1.0\n'
    (settings.root / "plumbline.toml").write_text(f"{told}\n{prices}")
    engine = Engine.from_settings(load_settings(settings.root / "plumbline.toml"))
    plan = Plan(max_cost=0.0000001)
    (partial,) = kept(evaluate(engine, dataset, plan=plan), BudgetExceeded, r"1 questions cost .*at most 1e-07; go on")
    assert len(partial.records) == 1
    assert run(engine, dataset, Plan(max_cost=1.0), earlier=partial).is_whole


def test_unknown_prices_spend_no_budget_unseen(engine: Engine, dataset: Dataset) -> None:
    asked: list[object] = []
    said = (
        "what an answer of scripted:script.json costs is not known; expected a price for each model; "
        'set price_in and price_out in [candidates."scripted:script.json"], or no --max-cost'
    )
    with pytest.raises(BudgetExceeded, match=re.escape(said)):
        asked.extend(evaluate(engine, dataset, plan=Plan(max_cost=1.0)))
    assert not [event for event in asked if isinstance(event, Asked)]


def test_a_price_that_is_not_known_after_all_ends_the_run(settings: Settings, dataset: Dataset) -> None:
    """A model that adds queries to the first question has no price: only its call tells."""
    (settings.root / "words.json").write_text(json.dumps([{"match": "", "reply": "annual leave"}]))
    changed = {
        "roles": settings.roles.model_copy(update={"rewrite": "scripted:words.json"}),
        "retrieve": settings.retrieve.model_copy(update={"expand": "paraphrase"}),
        "candidates": {"scripted:script.json": CandidateSettings(price_in=1, price_out=1)},
    }
    engine = Engine.from_settings(settings.model_copy(update=changed))
    (partial,) = kept(
        evaluate(engine, dataset, plan=Plan(max_cost=1.0)), BudgetExceeded, "an answer costs is not known; .*set prices"
    )
    assert len(partial.records) == 1


@pytest.mark.parametrize(("reply", "is_priced"), [({"error": "no quota"}, True), ({"reply": "Yes"}, False)])
def test_a_grade_that_fails_or_has_no_price_leaves_the_cost_of_its_answer(
    settings: Settings, dataset: Dataset, *, reply: dict[str, str], is_priced: bool
) -> None:
    price = CandidateSettings(price_in=1, price_out=1)
    (settings.root / "judge.json").write_text(json.dumps([{"match": "", **reply}]))
    priced = {"scripted:script.json": price, **({"scripted:judge.json": price} if is_priced else {})}
    roles = settings.roles.model_copy(update={"judge": "scripted:judge.json"})
    changed = settings.model_copy(update={"roles": roles, "candidates": priced})
    engine = Engine.from_settings(changed)
    *_, alone = evaluate(engine, dataset)
    *_, done = evaluate(engine, dataset, judge=make_judge(changed), plan=Plan(max_cost=1.0))
    assert isinstance(alone, Run)
    assert isinstance(done, Run)
    assert done.is_whole
    assert [record.cost for record in done.records] == [record.cost for record in alone.records]
    assert None not in [record.cost for record in done.records]


def test_a_run_that_goes_on_is_kept_now_and_then(
    engine: Engine, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "KEEP_EVERY_S", -1.0)
    runs = [event for event in evaluate(engine, dataset) if isinstance(event, Run)]
    assert [len(each.records) for each in runs] == [1, 2, 3, 3]
    assert [each.is_whole for each in runs] == [False, False, True, True]
    # What is kept on the way is scored when the run ends: that is the longer, the more was asked.
    assert [each.summary.overall["correct"].cases for each in runs] == [0, 0, 0, 2]
    assert [bool(record.scores) for record in runs[0].records] == [False]


def test_a_run_that_ends_early_is_scored_when_it_ends(
    engine: Engine, write_cases: Write, cases: list[Any], broken: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "KEEP_EVERY_S", -1.0)
    dataset = load_dataset(write_cases([*cases, *({**broken, "id": str(n)} for n in range(4))]))
    *_, last = kept(evaluate(engine, dataset), ModelError)
    assert (len(last.records), last.summary.overall["correct"].cases) == (6, 2)
