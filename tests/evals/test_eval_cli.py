"""plumb eval run, as a command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evals.cli import app
from rag.errors import InputError, ModelError, PlumbError
from rag.settings import Settings

Write = Callable[[Sequence[dict[str, Any]]], Path]


@pytest.fixture
def invoke(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(settings.root)
    monkeypatch.setenv("COLUMNS", "80")
    for name in [name for name in os.environ if name.startswith("PLUMB_")]:
        monkeypatch.delenv(name)
    return lambda *arguments: CliRunner().invoke(app, ["run", *map(str, arguments)])


def kept(settings: Settings) -> list[Path]:
    return sorted((settings.data_path / "runs").glob("*"))


def test_the_table_and_the_file(
    invoke: Callable[..., Result], settings: Settings, write_cases: Write, cases: list[dict[str, Any]]
) -> None:
    result = invoke(write_cases(cases))
    assert result.exit_code == 0, result.output
    rows = {line[:24].strip(): line[24:].split() for line in result.output.splitlines()}
    assert rows["answerable, right"][:5] == ["2", "50.0", "%", "9–91", "%"]
    assert rows["unanswerable, declined"][:3] == ["1", "100.0", "%"]
    assert max(len(line) for line in result.output.splitlines() if "kept in" not in line) <= 80
    assert "answered, but not right: car" in result.output
    (file,) = kept(settings)
    assert str(file) in result.output
    assert json.loads(file.read_text())["summary"]["overall"]["correct"]["value"] == 0.5


def test_a_metric_without_cases_is_a_dash(
    invoke: Callable[..., Result], write_cases: Write, cases: list[dict[str, Any]]
) -> None:
    result = invoke(write_cases(cases), "--split", "dev")
    row = next(line for line in result.output.splitlines() if line.startswith("unanswerable, declined"))
    assert row.split()[-2:] == ["0", "–"]


def test_json_and_a_place_of_ones_own(
    invoke: Callable[..., Result], settings: Settings, write_cases: Write, cases: list[dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "mine.json"
    result = invoke(write_cases(cases), "--json", "--out", out, "--tag", "hr", "--limit", 1)
    printed = json.loads(result.stdout)
    assert printed.pop("path") == str(out)
    assert printed == json.loads(out.read_text())
    assert [record["case_id"] for record in printed["records"]] == ["leave"]
    assert not kept(settings)


def test_a_failed_question_is_told_and_makes_the_exit_code_1(
    invoke: Callable[..., Result], settings: Settings, write_cases: Write, cases: list[Any], broken: dict[str, Any]
) -> None:
    result = invoke(write_cases([*cases, broken]))
    assert result.exit_code == 1
    assert "bad failed: scripted:script.json: the server is down" in result.output
    assert len(kept(settings)) == 1


def test_an_outage_midway_keeps_what_was_asked(
    invoke: Callable[..., Result], settings: Settings, write_cases: Write, cases: list[Any], broken: dict[str, Any]
) -> None:
    result = invoke(write_cases([*cases, *({**broken, "id": str(i)} for i in range(5))]))
    assert isinstance(result.exception, ModelError)
    (file,) = kept(settings)
    assert f"the run ends after 6 of 8 questions, kept in {file}" in " ".join(result.stderr.split())
    assert len(json.loads(file.read_text())["records"]) == 6


@pytest.mark.parametrize("number", [1, 5])
def test_nothing_is_left_when_all_questions_fail(
    invoke: Callable[..., Result], settings: Settings, write_cases: Write, broken: dict[str, Any], number: int
) -> None:
    result = invoke(write_cases([{**broken, "id": str(i)} for i in range(number)]))
    assert isinstance(result.exception, ModelError)
    assert not kept(settings)


def test_bad_input_is_refused_before_anything_is_asked(
    invoke: Callable[..., Result], settings: Settings, write_cases: Write, cases: list[Any], tmp_path: Path
) -> None:
    assert isinstance(invoke(tmp_path / "none.jsonl").exception, InputError)
    assert isinstance(invoke(write_cases(cases), "--tag", "none").exception, InputError)
    assert isinstance(invoke(write_cases(cases), "--out", tmp_path).exception, PlumbError)
    assert invoke(write_cases(cases), "--split", "train").exit_code == 2
    assert not (settings.data_path / "traces.db").exists() or not kept(settings)


def test_nothing_but_a_run_is_replaced(
    invoke: Callable[..., Result], settings: Settings, write_cases: Write, cases: list[dict[str, Any]], tmp_path: Path
) -> None:
    path, notes, empty = write_cases(cases), tmp_path / "notes.txt", tmp_path / "empty.json"
    notes.write_text("mine")
    for file in (path, notes):
        before = file.read_bytes()
        refused = invoke(path, "--out", file).exception
        assert isinstance(refused, InputError)
        assert f"a run would replace {file}: {file} is not a run" in str(refused)
        assert file.read_bytes() == before
    empty.touch()
    for _ in range(2):
        assert invoke(path, "--limit", 1, "--out", empty).exit_code == 0
    assert len(json.loads(empty.read_text())["records"]) == 1
    assert not kept(settings)


def test_another_system_is_asked_for_one_run(
    invoke: Callable[..., Result], settings: Settings, write_cases: Write, cases: list[dict[str, Any]]
) -> None:
    path = write_cases(cases)
    (settings.root / "other.json").write_text(json.dumps([{"match": "", "reply": "EUR 0.38 per kilometre [1]."}]))
    told = json.loads(
        invoke(path, "--set", "roles.answer=scripted:other.json", "--set", "retrieve.limit=1", "--json").stdout
    )
    assert told["models"]["answer"] == ["scripted:other.json"]
    assert {len(record["hits"]) for record in told["records"]} == {1}
    assert told["config_hash"] != settings.config_hash()
    assert json.loads(invoke(path, "--index", "v1", "--json").stdout)["config_hash"] == settings.config_hash()
    unknown = invoke(path, "--index", "v9").exception
    assert isinstance(unknown, InputError)
    assert "there is no version 'v9' of the index; expected one of v1" in str(unknown)
