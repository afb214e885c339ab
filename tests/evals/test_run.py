"""Runs through the real engine, store and ingest, with scripted models."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evals.dataset import load_dataset, select
from evals.metrics import score
from evals.records import Run, check_writable, load_run, save_run
from evals.run import Asked, Started, evaluate, run_path
from rag.engine import Engine
from rag.errors import InputError, ModelError, PlumbError
from rag.settings import Settings

Write = Callable[[Sequence[dict[str, Any]]], Path]


@pytest.fixture
def run(engine: Engine, write_cases: Write, cases: list[dict[str, Any]]) -> Run:
    *_, done = evaluate(engine, load_dataset(write_cases(cases)))
    assert isinstance(done, Run)
    return done


def test_progress_is_typed(engine: Engine, write_cases: Write, cases: list[dict[str, Any]]) -> None:
    started, *asked, done = evaluate(engine, load_dataset(write_cases(cases)))
    assert isinstance(started, Started)
    assert started.questions == 3
    assert [event.case.id for event in asked if isinstance(event, Asked)] == ["leave", "car", "moon"]
    assert isinstance(done, Run)
    assert done.id == started.run_id


def test_figures_of_a_run(run: Run) -> None:
    overall = {name: figure.value for name, figure in run.summary.overall.items()}
    assert overall["recall_at_1"] == 1.0
    assert overall["correct"] == 0.5
    assert overall["declined_unanswerable"] == 1.0
    assert overall["declined_answerable"] == 0.0
    # The bicycle stands in no passage.
    assert overall["supported"] == 0.5
    assert overall["quotes_verbatim"] == 1.0
    assert overall["failed"] == 0.0
    assert run.records[0].scores["correct"] == 1.0
    assert run.records[1].scores["correct"] == 0.0


def test_a_run_explains_itself(run: Run, settings: Settings) -> None:
    assert run.models == {"answer": ("scripted:script.json",), "embed": ("scripted:words",)}
    assert run.index.chunks == 2
    assert [(prompt.id, len(prompt.sha)) for prompt in run.prompts] == [
        ("answer", 12),
        ("prior", 12),
        ("propose", 12),
        ("confirm", 12),
        ("alone", 12),
        ("rewrite", 12),
    ]
    assert run.config_hash == settings.config_hash()
    assert run.config["roles"]["answer"] == "scripted:script.json"
    assert run.machine.cores >= 1
    assert run.machine.cpu
    first = run.records[0]
    assert first.answer is not None
    assert first.answer.citations[0].uri == "docs/hr/leave.md"
    assert first.hits[0].marker == 1
    assert first.hits[0].shown == "Full-time employees have 28 working days of annual leave a year."
    assert set(first.hits[0].scores) >= {"dense", "lexical"}


def test_a_run_survives_the_disk_and_is_scored_again(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "runs" / "a.json"
    save_run(run, file)
    assert load_run(file) == run
    bare = replace(run, records=tuple(replace(record, scores={}) for record in run.records))
    assert score(bare) == run
    save_run(run, file)
    assert [path.name for path in file.parent.iterdir()] == ["a.json"]


def test_questions_of_a_run_are_told_from_those_of_users(run: Run, engine: Engine) -> None:
    answer = run.records[0].answer
    assert answer is not None
    assert engine.spool.trace(answer.trace_id).attributes["session_id"] == f"eval:{run.id}"


def test_a_question_that_fails_is_recorded(
    engine: Engine, write_cases: Write, cases: list[dict[str, Any]], broken: dict[str, Any]
) -> None:
    long = {"id": "long", "question": "x" * 9000, "answerable": False}
    *_, done = evaluate(engine, load_dataset(write_cases([broken, cases[0], long])))
    assert isinstance(done, Run)
    assert [record.error_kind for record in done.records] == ["ModelError", None, "InputError"]
    assert "the server is down" in str(done.records[0].error)
    assert done.summary.overall["failed"].value == pytest.approx(2 / 3)


def test_when_all_fail_the_error_is_raised_early(engine: Engine, write_cases: Write, broken: dict[str, Any]) -> None:
    many = [{**broken, "id": str(number)} for number in range(10)]
    with pytest.raises(ModelError, match="the server is down"):
        list(evaluate(engine, load_dataset(write_cases(many))))
    with pytest.raises(ModelError, match="the server is down"):
        list(evaluate(engine, load_dataset(write_cases(many[:1]))))


def test_a_server_that_goes_down_midway_ends_the_run(
    engine: Engine, write_cases: Write, cases: list[dict[str, Any]], broken: dict[str, Any]
) -> None:
    many = [{**broken, "id": str(number)} for number in range(10)]
    events = evaluate(engine, load_dataset(write_cases([cases[0], *many])))
    asked = [next(events) for _ in range(4)][1:]
    assert [event.case.id for event in asked if isinstance(event, Asked)] == ["leave", "0", "1"]
    partial = next(events)
    assert isinstance(partial, Run)
    assert [record.case_id for record in partial.records] == ["leave", "0", "1", "2"]
    assert len(partial.cases) == 11
    assert partial.summary.overall["failed"].value == pytest.approx(3 / 4)
    with pytest.raises(ModelError, match="the server is down"):
        next(events)


def test_an_empty_index_is_said_at_once(settings: Settings, write_cases: Write, cases: list[dict[str, Any]]) -> None:
    empty = Engine.from_settings(settings.model_copy(update={"data_dir": Path("empty")}))
    with pytest.raises(InputError, match="holds no documents"):
        list(evaluate(empty, load_dataset(write_cases(cases))))


def test_follow_ups_are_asked_with_their_history(engine: Engine, write_cases: Write) -> None:
    turn = {"question": "How much leave is there?", "answer": "28 days."}
    case = {"id": "f", "question": "And the moon?", "history": [turn], "sources": ["hr/leave.md"]}
    *_, done = evaluate(engine, load_dataset(write_cases([case])))
    assert isinstance(done, Run)
    assert done.summary.overall["recall_at_1"].value == 1.0
    assert load_dataset(write_cases([case])).cases == done.cases


def test_places_that_can_not_be_written(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "run.json", tmp_path):
        with pytest.raises(PlumbError, match=r"can't write .*; name another with --out"):
            check_writable(place)
        with pytest.raises(PlumbError, match="can't write"):
            save_run(run, place)
    assert not list(tmp_path.glob("*.tmp"))
    assert not list(tmp_path.parent.glob("*.tmp"))


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "runs" / "run.json"
    save_run(run, file)

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_run(replace(run, id="new"), file)
    assert list(file.parent.iterdir()) == [file]
    assert load_run(file) == run


def test_files_that_are_no_runs(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "run.json"
    with pytest.raises(InputError, match="can't read"):
        load_run(file)
    file.write_text('{"half": ')
    with pytest.raises(InputError, match="is not a run"):
        load_run(file)
    save_run(run, file)
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 2}))
    with pytest.raises(InputError, match="format: Input should be 1"):
        load_run(file)


def test_a_part_of_a_dataset(engine: Engine, write_cases: Write, cases: list[dict[str, Any]]) -> None:
    dataset = load_dataset(write_cases(cases))
    chosen = select(dataset, split="dev")
    *_, done = evaluate(engine, chosen)
    assert isinstance(done, Run)
    assert [case.id for case in done.cases] == ["car"]
    assert done.dataset.selection == {"split": "dev"}
    assert done.dataset.sha256 == dataset.sha256


def test_the_usual_place_of_a_run(settings: Settings, run: Run) -> None:
    assert run_path(settings, run.id) == settings.data_path / "runs" / f"{run.id}.json"
    assert run.id.endswith("Z-questions")


def test_a_run_is_for_its_owner_alone(run: Run, tmp_path: Path) -> None:
    save_run(run, tmp_path / "a.json")
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o600
