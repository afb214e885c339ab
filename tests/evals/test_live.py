"""Answers that are there already: scored again, and those of users scored as a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evals.cli import app
from evals.records import load_run
from rag.engine import Engine
from rag.errors import ConfigError, InputError
from rag.settings import Settings
from rag.types import Feedback


@pytest.fixture
def invoke(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(settings.root)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_answers_of_users_are_a_run(invoke: Callable[..., Result], engine: Engine, write_cases: Any) -> None:
    leave = engine.ask("How much leave is there?")
    car = engine.ask("What is paid per kilometre?")
    engine.ask("How far is the moon?")
    engine.rate(Feedback(trace_id=leave.trace_id, up=True, correction="28 working days of annual leave a year."))
    engine.rate(Feedback(trace_id=car.trace_id, up=False, reasons=("wrong",), correction="EUR 0.38"))
    # What an eval asks is no user's question.
    invoke("run", write_cases([{"id": "x", "question": "How much leave is there?", "facts": [["28"]]}]))
    told = json.loads(invoke("live", "--json").stdout)
    assert [case["question"] for case in told["cases"]] == [
        "How much leave is there?",
        "What is paid per kilometre?",
        "How far is the moon?",
    ]
    assert told["cases"][1]["expected"] == "EUR 0.38"
    assert told["cases"][1]["tags"] == ["rated down", "wrong"]
    overall = {name: figure["value"] for name, figure in told["summary"]["overall"].items()}
    assert overall["supported"] == 0.5
    assert overall["declined"] == pytest.approx(1 / 3)
    assert overall["quotes_verbatim"] == 1.0
    assert overall["correct"] is None
    likeness = [record["similarity"] for record in told["records"]]
    # The second answer was declined.
    assert likeness == [pytest.approx(0.7, abs=0.2), 0.0, None]
    assert overall["similarity"] == pytest.approx(likeness[0] / 2)
    assert told["summary"]["overall"]["similarity"]["cases"] == 2
    kept = load_run(Path(told["path"]))
    assert kept.records[0].answer
    assert kept.records[0].answer.text == leave.text
    assert kept.records[0].hits[0].uri == "docs/hr/leave.md"
    assert ("answer", 12) in [(prompt.id, len(prompt.sha)) for prompt in kept.prompts]


def test_a_sample_is_drawn(invoke: Callable[..., Result], engine: Engine) -> None:
    for _ in range(3):
        engine.ask("How much leave is there?")
    told = json.loads(invoke("live", "--sample", 2, "--json").stdout)
    assert len(told["records"]) == 2
    assert told["dataset"]["selection"]["of"] == 3


def test_without_answers_there_is_nothing_to_score(invoke: Callable[..., Result]) -> None:
    assert isinstance(invoke("live").exception, InputError)


def test_a_run_is_scored_again(
    invoke: Callable[..., Result], settings: Settings, write_cases: Any, cases: list[dict[str, Any]]
) -> None:
    path = Path(json.loads(invoke("run", write_cases(cases), "--json").stdout)["path"])
    told = json.loads(path.read_text())
    told["summary"]["overall"]["correct"]["value"] = 0.99
    path.write_text(json.dumps(told))
    assert "50.0 %" in invoke("score", path).output
    assert json.loads(path.read_text())["summary"]["overall"]["correct"]["value"] == 0.5
    assert isinstance(invoke("score", path, "--judge").exception, ConfigError)
    (settings.root / "judge.json").write_text(json.dumps([{"match": "", "reply": "Yes"}]))
    config = (settings.root / "plumbline.toml").read_text()
    (settings.root / "plumbline.toml").write_text(config.replace("[roles]", '[roles]\njudge = "scripted:judge.json"'))
    judged = invoke("score", path, "--judge", "--out", settings.root / "judged.json")
    assert judged.exit_code == 0, judged.output
    assert load_run(settings.root / "judged.json").summary.overall["judged"].value == 1.0
    assert load_run(path).judge is None
