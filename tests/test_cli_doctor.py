"""plumb doctor: every part and every model is checked, each failure comes with its remedy."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import ASKED, Plumb, failed, fine, parsed


def test_doctor_checks_every_part(plumb: Plumb, filled: Path) -> None:
    rows = parsed(plumb("doctor", "--json"))
    assert [row["part"] for row in rows] == [
        "settings",
        "embed",
        "index",
        "answer",
        "rewrite",
        "judge",
        "traces",
        "langfuse",
        "otlp",
    ]
    assert all(row["ok"] for row in rows)
    assert "✓ index" in fine(plumb("doctor"))


def test_doctor_tells_each_failure_with_its_remedy(plumb: Plumb, project: Path) -> None:
    env = {"PLUMB_ROLES__ANSWER": "ollama:x", "PLUMB_PROVIDERS__OLLAMA__BASE_URL": "http://127.0.0.1:9/v1"}
    result = plumb("doctor", "--json", env={**env, "PLUMB_ROLES__REWRITE": "openai:x"})
    assert result.returncode == 1
    messages = {row["part"]: row["message"] for row in json.loads(result.stdout) if not row["ok"]}
    assert set(messages) == {"index", "answer", "rewrite"}
    assert "plumb ingest" in messages["index"]
    assert "can't reach" in messages["answer"]
    assert "OPENAI_API_KEY is not set" in messages["rewrite"]


def test_doctor_asks_every_candidate_of_a_role(plumb: Plumb, project: Path) -> None:
    env = {"PLUMB_ROLES__ANSWER": '["scripted:quote", "ollama:x"]'}
    env["PLUMB_PROVIDERS__OLLAMA"] = '{"base_url": "http://127.0.0.1:9/v1", "max_retries": 0}'
    result = plumb("doctor", "--json", env=env)
    first, second = (row for row in json.loads(result.stdout) if row["part"] == "answer")
    assert first["message"].startswith("scripted:quote: answered in")
    assert (first["ok"], second["ok"]) == (True, False)
    assert "can't reach ollama:x" in second["message"]


def test_doctor_tells_a_strategy_that_has_nothing_to_choose_from(plumb: Plumb, filled: Path) -> None:
    (filled / "script.json").write_text("[]")
    env = {"PLUMB_GENERATE__STRATEGY": "vote", "PLUMB_ROLES__ANSWER": '["scripted:quote", "scripted:script.json"]'}
    (row,) = (row for row in parsed(plumb("doctor", "--json", env=env)) if row["part"] == "strategy")
    assert row["message"] == "vote of scripted:quote, scripted:script.json"
    alone = plumb("doctor", "--json", env={**env, "PLUMB_ROLES__ANSWER": "scripted:quote"})
    (row,) = (row for row in json.loads(alone.stdout) if not row["ok"])
    assert row["part"] == "strategy"
    assert "at least two models" in row["message"]
    assert "generate.strategy" in failed(plumb("ask", ASKED, env={"PLUMB_GENERATE__STRATEGY": "cascade"}), code=2)


def test_doctor_survives_settings_that_are_wrong(plumb: Plumb, project: Path) -> None:
    (project / "plumbline.toml").write_text("[store]\nkind = 3\n")
    result = plumb("doctor")
    assert result.returncode == 2
    assert result.stdout.startswith("✗ settings")
    assert "'edge' or 'server'" in result.stdout
