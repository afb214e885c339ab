"""The benchmark of strategies: each is asked the same questions, and what it came to is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.bench import strategies
from evals.bench.__main__ import main


def test_each_strategy_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "questions.jsonl").write_text(
        '{"id": "a", "question": "How many working days of paid annual leave do full-time employees have?", '
        '"facts": [["28"]]}\n{"id": "b", "question": "Who painted the moon?", "answerable": false}\n'
    )
    script = tmp_path / "declines.json"
    script.write_text(json.dumps([{"match": "", "reply": "NOT IN THE DOCUMENTS"}]))
    models = (f"scripted:{script}", "scripted:quote")
    ways = (("first", models[:1]), ("first", models[1:]), ("cascade", models), ("vote", models))
    monkeypatch.setattr(strategies, "WAYS", ways)
    monkeypatch.setattr(strategies, "QUESTIONS", tmp_path / "questions.jsonl")
    monkeypatch.setenv("PLUMB_ROLES__EMBED", "scripted:words")
    monkeypatch.setenv("PLUMB_GENERATE__ANSWERABLE_AT", "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["strategies"]) == 0
    declining, quoting, cascade, vote = (line for line in capsys.readouterr().out.splitlines() if "tokens read" in line)
    assert "right 0 of 1, declined rightly 1 of 1, wrongly 1 of 1; no answers;" in declining
    assert "right 1 of 1, declined rightly 1 of 1, wrongly 0 of 1; of an answer 100% supported;" in quoting
    for line in (cascade, vote):
        assert "right 1 of 1, declined rightly 1 of 1, wrongly 0 of 1" in line
    assert cascade.endswith("2 by scripted:quote")
    assert vote.endswith(f"1 by scripted:quote, 1 by {models[0]}")


def test_without_its_model_files_it_is_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLUMB_LOCAL__DIR", str(tmp_path))
    assert main(["strategies"]) == 0
    assert "plumb models pull qwen2.5-coder-0.5b qwen2.5-coder-1.5b" in capsys.readouterr().out
