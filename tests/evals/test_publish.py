"""A run as an experiment in Langfuse: every answer tied to its item, with its scores, once however often it is told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dataset_server import PUBLIC_KEY, SECRET_KEY, FakeDatasets, running
from typer.testing import CliRunner, Result

from evals.cli import app
from evals.records import load_run
from rag.errors import DeliveryError, InputError
from rag.observe.experiment import experiment_id, root_id
from rag.observe.filter import Filter
from rag.observe.spool import open_spool
from rag.settings import Settings

BROKEN = {"id": "bad", "question": "What is broken?", "answerable": False}
NAME = "langfuse.experiment."
Invoke = Callable[..., Result]


@pytest.fixture
def fake() -> Iterator[FakeDatasets]:
    with running() as server:
        yield server


@pytest.fixture
def invoke(fake: FakeDatasets, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run `plumb eval` in the project with the stand-in; what a run leaves is delivered by the tests themselves."""
    monkeypatch.chdir(settings.root)
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", PUBLIC_KEY)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", SECRET_KEY)
    monkeypatch.setattr("rag.observe.ship.ship_detached", lambda settings: None)
    with (settings.root / "plumbline.toml").open("a") as file:
        file.write(f'[langfuse]\nhost = "{fake.url}"\ntimeout_s = 1\n')

    def run(*arguments: object) -> Result:
        done = CliRunner().invoke(app, list(map(str, arguments)))
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def published(invoke: Invoke, run: Path) -> Any:
    return json.loads(invoke("publish", run, "--json").stdout)


def roots(fake: FakeDatasets) -> dict[str, Any]:
    """The root spans by the item that they are of."""
    found = {span[f"{NAME}item.id"]: (one, span) for one, span in fake.spans.items() if span["name"] == "ask"}
    assert all(one == root_id(span["trace_id"]) for one, span in found.values())
    return {item: span for item, (_, span) in found.items()}


def test_a_run_is_an_experiment_with_its_scores(
    invoke: Invoke, fake: FakeDatasets, settings: Settings, write_cases: Any, cases: list[Any]
) -> None:
    questions = write_cases(cases)
    invoke("push", questions)
    done = invoke("run", questions, "--out", "run.json")
    assert done.stderr == ""
    run = load_run(Path("run.json"))
    # The scores are there, and the traces wait to be delivered.
    scores = dict(fake.scores)
    assert not fake.spans
    told = published(invoke, Path("run.json"))
    assert (told["answers"], told["experiments"], told["left_out"], told["waiting"]) == (3, [run.id], {}, 0)
    assert fake.scores == scores
    assert told["scores"] == len(scores)

    found = roots(fake)
    assert set(found) == {"questions:leave", "questions:car", "questions:moon"}
    experiment = experiment_id("project-1", "id-of-questions", run.id)
    leave = found["questions:leave"]
    assert leave[f"{NAME}id"] == experiment
    assert leave[f"{NAME}name"] == run.id
    assert leave[f"{NAME}dataset.id"] == "id-of-questions"
    assert leave["langfuse.environment"] == "sdk-experiment"
    assert json.loads(leave[f"{NAME}item.expected_output"]) == {"facts": [["28"]], "sources": ["hr/leave.md"]}
    metadata = json.loads(leave[f"{NAME}metadata"])
    assert metadata["config_hash"] == run.config_hash
    assert metadata["models"]["answer"] == list(run.models["answer"])
    assert metadata["code_version"] == run.code_version
    assert any(prompt.startswith("answer@") for prompt in metadata["prompts"])
    children = [span for span in fake.spans.values() if span["name"] != "ask"]
    assert children
    assert all(span[f"{NAME}item.root_observation_id"] == root_id(span["trace_id"]) for span in children)
    assert all(f"{NAME}item.expected_output" not in span for span in children)

    of_leave = {score["name"]: score for score in scores.values() if score.get("traceId") == leave["trace_id"]}
    assert of_leave["correct"]["value"] == 1.0
    assert of_leave["correct"]["observationId"] == root_id(leave["trace_id"])
    overall = {score["name"]: score["value"] for score in scores.values() if score.get("datasetRunId") == experiment}
    assert overall["correct"] == 0.5

    spans = dict(fake.spans)
    assert published(invoke, Path("run.json")) == told
    assert (fake.scores, fake.spans) == (scores, spans)
    rows = open_spool(settings).traces(Filter(name="ask"))
    assert {row.delivery for row in rows} == {"delivered"}


def test_what_has_no_place_is_told(
    invoke: Invoke, fake: FakeDatasets, settings: Settings, write_cases: Any, cases: list[Any]
) -> None:
    questions = write_cases([*cases, BROKEN])
    invoke("push", questions)
    fake.items["questions:moon"]["status"] = "ARCHIVED"
    done = invoke("run", questions, "--out", "run.json")
    assert done.exit_code == 1
    assert done.stderr == ""
    assert published(invoke, Path("run.json"))["left_out"] == {"failed": 1, "not in the dataset there": 1}
    (settings.data_path / "traces.db").unlink()
    assert published(invoke, Path("run.json"))["left_out"]["without a trace here"] == 2


def test_a_run_is_published_by_any_of_its_names(
    invoke: Invoke, settings: Settings, write_cases: Any, cases: list[Any]
) -> None:
    questions = write_cases(cases)
    invoke("push", questions)
    invoke("run", questions)
    (file,) = (settings.data_path / "runs").glob("*.json")
    told = json.loads(invoke("publish", "latest", "--json").stdout)
    assert (told["answers"], told["experiments"]) == (3, [file.stem])
    invoke("baseline", "main", "latest")
    for name in ("main", file.stem, file):
        assert json.loads(invoke("publish", name, "--json").stdout) == told
    with pytest.raises(InputError, match="no run 'nosuch'"):
        invoke("publish", "nosuch")


def test_each_repetition_is_an_experiment(
    invoke: Invoke, fake: FakeDatasets, write_cases: Any, cases: list[Any]
) -> None:
    questions = write_cases(cases[:1])
    invoke("push", questions)
    invoke("run", questions, "--repeat", "2", "--out", "run.json")
    told = published(invoke, Path("run.json"))
    assert [name.partition("questions")[2] for name in told["experiments"]] == ["", " #2"]
    assert len({span[f"{NAME}id"] for span in fake.spans.values()}) == 2
    assert not any("datasetRunId" in score for score in fake.scores.values())


def test_a_failure_is_a_warning_that_names_the_way_on(
    invoke: Invoke, fake: FakeDatasets, write_cases: Any, cases: list[Any]
) -> None:
    questions = write_cases(cases[:1])
    missing = invoke("run", questions, "--out", "run.json")
    assert missing.exit_code == 0
    with pytest.raises(InputError, match="has no dataset 'questions'"):
        invoke("publish", "run.json")
    assert (
        f"has no dataset 'questions'; expected the dataset of the run; 'plumb eval push {questions.name}'"
        in missing.stderr
    )
    invoke("push", questions)
    fake.status = 500
    done = invoke("run", questions, "--out", "run.json")
    assert done.exit_code == 0
    (line,) = done.stderr.splitlines()
    assert "the run is not shown in Langfuse" in line
    assert line.endswith("then 'plumb eval publish run.json'")
    assert SECRET_KEY not in line
    with pytest.raises(DeliveryError):
        invoke("publish", "run.json")
    fake.status = 200
    assert published(invoke, Path("run.json"))["answers"] == 1


def test_a_server_that_never_answers_is_left_after_a_time(
    invoke: Invoke, fake: FakeDatasets, write_cases: Any, cases: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.langfuse_cli.AT_THE_END_S", 0.5)
    fake.hang_s = 20
    began = time.monotonic()
    done = invoke("run", write_cases(cases[:1]), "--out", "run.json")
    assert "can't be reached" in done.stderr
    assert time.monotonic() - began < 15


def test_without_keys_nothing_is_said(
    invoke: Invoke, fake: FakeDatasets, write_cases: Any, cases: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGFUSE_PUBLIC_KEY")
    assert invoke("run", write_cases(cases[:1])).stderr == ""
    assert not fake.requests


def test_where_traces_keep_no_texts_what_is_expected_is_none(
    invoke: Invoke, fake: FakeDatasets, write_cases: Any, cases: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMB_TRACE__CONTENT", "none")
    questions = write_cases(cases[:1])
    invoke("push", questions)
    invoke("run", questions, "--out", "run.json")
    published(invoke, Path("run.json"))
    (root,) = roots(fake).values()
    assert root[f"{NAME}name"]
    assert f"{NAME}item.expected_output" not in root
