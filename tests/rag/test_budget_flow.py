"""A question that the budget bounds, from the settings to its trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.dataset import load_dataset
from evals.judge import make_judge
from rag.budget.purse import Purses
from rag.engine import Engine
from rag.errors import BudgetExceeded, ConfigError
from rag.settings import load_settings
from rag.types import Scope, Trace, Turn

ASKED = "How many working days of annual leave do full-time employees have?"
DEAR = '[candidates."scripted:dear.json"]\nprice_in = 10\nprice_cached = 1\nprice_out = 100\n'
FREE = '[candidates."scripted:quote"]\nprice_in = 0\nprice_cached = 0\nprice_out = 0\n'
BOTH = '[roles]\nanswer = ["scripted:dear.json", "scripted:quote"]\nembed = "scripted:words"\n'
ONE = '[roles]\nanswer = "scripted:quote"\nembed = "scripted:words"\n'
SAID = "Full-time employees have 30 working days of annual leave a year [1]."


def engine(folder: Path, config: str) -> Engine:
    """The engine of the project with another configuration."""
    entries = [{"match": "Yes or No", "reply": "Yes"}, {"match": "", "reply": SAID}]
    (folder / "dear.json").write_text(json.dumps(entries))
    (folder / "plumbline.toml").write_text(config)
    return Engine.from_settings(load_settings(folder / "plumbline.toml"))


def latest(of: Engine) -> Trace:
    return of.spool.trace(of.spool.traces(limit=1)[0].id)


def budget_file(folder: Path) -> Path:
    return folder / ".plumb" / "budget.db"


def test_where_nothing_is_bounded_nothing_is_kept(filled: Path) -> None:
    asked = engine(filled, BOTH)
    answer = asked.ask(ASKED)
    assert not budget_file(filled).exists()
    assert "budget" not in asked.spool.trace(answer.trace_id).attributes


def test_a_trace_tells_what_was_used_and_what_is_left(filled: Path) -> None:
    asked = engine(filled, f"{BOTH}[budget]\nuser_day_tokens = 100_000\nday_cost = 5\n{DEAR}{FREE}")
    answer = asked.ask(ASKED, scope=Scope(user="anna"))
    told = asked.spool.trace(answer.trace_id).attributes
    tokens = answer.usage.prompt + answer.usage.completion
    assert told["user_id"] == "anna"
    assert told["budget"] == {
        "tokens": tokens,
        "cost": pytest.approx(answer.cost),
        "left": {"day_cost": pytest.approx(5 - (answer.cost or 0)), "user_day_tokens": 100_000 - tokens},
        "refused": {},
    }
    # Another user has all of the own bound left, and the rest of that of all.
    other = asked.spool.trace(asked.ask(ASKED, scope=Scope(user="ben")).trace_id).attributes["budget"]["left"]
    assert other["user_day_tokens"] == 100_000 - tokens
    assert other["day_cost"] == pytest.approx(5 - 2 * (answer.cost or 0))


def test_the_cheaper_model_answers_where_the_dear_one_cannot_be_paid(filled: Path) -> None:
    asked = engine(filled, f"{BOTH}[budget]\nturn_cost = 0.001\n{DEAR}{FREE}")
    answer = asked.ask(ASKED)
    assert answer.models["answer"] == "scripted:quote"
    assert "30 working days" in answer.text
    told = asked.spool.trace(answer.trace_id)
    first = next(step for step in told.steps if step.name == "prior").attributes["attempts"][0]
    assert (first["model"], first["outcome"]) == ("scripted:dear.json", "skipped")
    assert "0 of this question's 0.001 are used or reserved" in first["reason"]
    assert told.attributes["budget"]["refused"] == {"turn_cost": 1}


def test_a_refused_question_leaves_its_reason_in_the_trace(filled: Path) -> None:
    asked = engine(filled, f"{ONE}[budget]\nday_tokens = 2000\n")
    with pytest.raises(BudgetExceeded, match=r"of today's 2,000 tokens for all users are used or reserved"):
        [asked.ask(ASKED) for _ in range(6)]
    trace = latest(asked)
    assert trace.status == "failed"
    assert str(trace.output).startswith("BudgetExceeded: scripted:quote is not asked")
    assert trace.attributes["budget"]["refused"] == {"day_tokens": 1}
    assert trace.attributes["budget"]["left"]["day_tokens"] < 1000
    failed = trace.steps[-1]
    assert [attempt["outcome"] for attempt in failed.attributes["attempts"]] == ["skipped"]


def test_where_weighing_cannot_be_paid_no_answer_is_written_without_it(filled: Path) -> None:
    asked = engine(filled, f"{ONE}[budget]\nturn_tokens = 100\n")
    with pytest.raises(BudgetExceeded):
        asked.ask(ASKED)
    assert latest(asked).steps[-1].name == "prior"


def test_the_rewriting_model_is_paid_by_the_same_turn(filled: Path) -> None:
    rewriting = ONE.replace("embed", 'rewrite = "scripted:dear.json"\nembed')
    asked = engine(filled, f"{rewriting}[budget]\nturn_tokens = 100\n")
    history = [Turn(question="What about carrying over leave?", answer="Up to 5 days [1].")]
    with pytest.raises(BudgetExceeded, match=r"scripted:dear\.json is not asked.* of this question's 100 tokens"):
        asked.ask("Until which date?", history=history)
    asked = engine(filled, f"{rewriting}[budget]\nturn_tokens = 10_000\n")
    answer = asked.ask("Until which date?", history=history)
    told = asked.spool.trace(answer.trace_id).attributes["budget"]
    assert told["tokens"] == answer.usage.prompt + answer.usage.completion
    assert told["cost"] is None


@pytest.mark.parametrize("role", ["answer", "rewrite", "judge"])
def test_a_bound_on_money_needs_every_price(filled: Path, role: str) -> None:
    roles = {"answer": "scripted:quote", "embed": "scripted:words", role: "openai:x"}
    named = "".join(f'{name} = "{model}"\n' for name, model in roles.items())
    one_price = '[candidates."openai:x"]\nprice_in = 1\n'
    (filled / "plumbline.toml").write_text(f"[roles]\n{named}[budget]\nday_cost = 5\n{FREE}{one_price}")
    with pytest.raises(ConfigError) as refused:
        Purses(load_settings(filled / "plumbline.toml"))
    told = str(refused.value)
    assert told.startswith("openai:x has no price_out and no price_cached, and budget.day_cost bounds money")
    assert 'in [candidates."openai:x"]' in told


def test_local_models_cost_nothing(tmp_path: Path) -> None:
    (tmp_path / "plumbline.toml").write_text("[budget]\nday_cost = 5\n")
    assert Purses(load_settings(tmp_path / "plumbline.toml")).purse() is not None


def test_the_judge_is_paid_too(filled: Path) -> None:
    judging = ONE.replace("embed", 'judge = "scripted:dear.json"\nembed')
    engine(filled, f"{judging}[budget]\nturn_tokens = 100\n")
    judge = make_judge(load_settings(filled / "plumbline.toml"))
    assert judge
    (filled / "cases.jsonl").write_text(json.dumps({"id": "leave", "question": ASKED, "facts": [["30 days"]]}))
    (case,) = load_dataset(filled / "cases.jsonl").cases
    with pytest.raises(BudgetExceeded, match="this question's 100 tokens"):
        judge.grade(case, SAID)
