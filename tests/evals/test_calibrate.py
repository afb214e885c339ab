"""How far a judge agrees with people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evals.agreement import agreement
from evals.cli import app
from evals.labelled import load_labelled
from evals.run import evaluate
from rag.errors import ConfigError, InputError
from rag.settings import Settings

YES, NO = {"match": "Answer to grade: .*28", "reply": "Yes"}, {"match": "", "reply": "No"}


def item(answer: str, *, right: bool, **more: Any) -> dict[str, Any]:
    return {"question": "How much leave?", "expected": "28 days", "answer": answer, "right": right, **more}


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def calibrate(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command in a project whose judge says yes to what holds 28."""
    (settings.root / "judge.json").write_text(json.dumps([YES, NO]))
    told = (settings.root / "plumbline.toml").read_text()
    (settings.root / "plumbline.toml").write_text(told.replace("[roles]", '[roles]\njudge = "scripted:judge.json"'))
    monkeypatch.chdir(settings.root)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_kappa_as_cohen_worked_it() -> None:
    # The table of Cohen (1960), page 45, in hundredths: 25 13 12, 12 2 16, 3 15 2.
    table = {"aa": 25, "ab": 13, "ac": 12, "ba": 12, "bb": 2, "bc": 16, "ca": 3, "cb": 15, "cc": 2}
    pairs = [pair for pair, count in table.items() for _ in range(count)]
    found = agreement([p[0] for p in pairs], [p[1] for p in pairs], groups=range(len(pairs)))
    assert found.share == pytest.approx(0.29)
    by_chance = 0.50 * 0.40 + 0.30 * 0.30 + 0.20 * 0.30
    assert found.kappa == pytest.approx((0.29 - by_chance) / (1 - by_chance))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.kappa < found.high


def test_where_both_say_the_same_of_everything_there_is_no_kappa() -> None:
    found = agreement(["yes"] * 3, ["yes"] * 3, groups=[1, 2, 3])
    assert (found.share, found.kappa, found.low) == (1.0, None, None)


def test_a_measured_judge_is_known_in_every_later_run(
    calibrate: Callable[..., Result], settings: Settings, tmp_path: Path, write_cases: Any, cases: list[Any]
) -> None:
    lines = [item("28 days", right=True), item("28 or so", right=False), item("20 days", right=False)]
    labelled = write(tmp_path / "judged.jsonl", [{**line, "question": f"{n}?"} for n, line in enumerate(lines * 5)])
    before = calibrate("run", write_cases(cases))
    assert "its agreement with people was not measured (plumb eval calibrate)" in " ".join(before.output.split())
    told = calibrate("calibrate", labelled)
    assert told.exit_code == 0, told.output
    assert "kappa 0.40" in told.output
    assert "the same on 67 % of 15 of judged" in " ".join(told.output.split())
    after = json.loads(calibrate("run", write_cases(cases), "--json").stdout)
    assert after["judge"]["agreement"]["items"] == 15
    assert after["judge"]["prompt"]["id"] == "judge"
    (settings.root / "prompts").mkdir()
    text = (Path(evaluate.__code__.co_filename).parents[1] / "rag" / "prompts" / "judge.md").read_text()
    (settings.root / "prompts" / "judge.md").write_text(text.replace("You grade", "You strictly grade"))
    told_now = (settings.root / "plumbline.toml").read_text()
    (settings.root / "plumbline.toml").write_text(f'{told_now}[generate]\nprompts_dir = "prompts"\n')
    other = json.loads(calibrate("run", write_cases(cases), "--json").stdout)
    assert other["judge"]["agreement"] is None


def test_pairs_are_compared(calibrate: Callable[..., Result], tmp_path: Path) -> None:
    pair = {"question": "How much?", "facts": [["28"]], "first": "28 days", "second": "20 days", "better": "first"}
    same = {**pair, "second": "28, that is", "better": "same"}
    wrong = {**pair, "question": "Why?", "better": "second"}
    told = json.loads(calibrate("calibrate", write(tmp_path / "p.jsonl", [pair, same, wrong]), "--json").stdout)
    assert told["judge"]["agreement"]["share"] == pytest.approx(2 / 3)
    assert told["failed"] == 0


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"question": "?", "expected": "x", "answer": "y"}], "line 1; expected either 'answer' and 'right'"),
        ([{"question": "?", "answer": "y", "right": True}], "line 1; expected an expected answer or facts"),
        (
            [item("28", right=True), {"question": "?", "expected": "x", "first": "a", "second": "b", "better": "same"}],
            "holds single answers and pairs; expected one kind",
        ),
    ],
)
def test_files_that_hold_something_else(tmp_path: Path, lines: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_labelled(write(tmp_path / "judged.jsonl", lines))
    assert said in str(caught.value)


def test_without_a_judge_there_is_nothing_to_measure(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(settings.root)
    labelled = write(tmp_path / "judged.jsonl", [item("28", right=True)])
    assert isinstance(CliRunner().invoke(app, ["calibrate", str(labelled)]).exception, ConfigError)
