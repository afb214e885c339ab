"""Jobs: when they are due, that each is done once, what they say together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from evals import schedule
from evals.cli import app
from evals.jobs import Step, commands, news
from evals.schedule import Began, Ended, check, run_due
from rag.errors import ConfigError, StoreError
from rag.sections import Job
from rag.settings import Settings, load_settings

JOBS = """
[jobs.nightly]
cron = "0 3 * * *"
dataset = "nothing.jsonl"
"""
# A day without a change of clocks, in whatever zone this runs.
NOON = schedule.datetime(2026, 5, 4, 12).astimezone().timestamp()


@pytest.fixture
def jobs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The project with a job that has no questions: its commands fail at once."""
    file = settings.root / "plumbline.toml"
    file.write_text(file.read_text() + JOBS)
    monkeypatch.chdir(settings.root)
    return load_settings(file)


@pytest.fixture
def performed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of jobs that were done, whose commands all end with 3."""
    done: list[str] = []

    def perform(name: str, *_: object) -> tuple[Step, ...]:
        done.append(name)
        return (Step(command=("eval", "gate", "x", "--markdown"), code=3, seconds=1.0, said="too few cases"),)

    monkeypatch.setattr(schedule, "perform", perform)
    return done


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(schedule.time, "time", lambda: seconds)


def test_a_new_job_waits_for_its_time_and_is_done_once(
    jobs: Settings, monkeypatch: pytest.MonkeyPatch, performed: list[str]
) -> None:
    for hours in (0, 14.9):
        at(monkeypatch, NOON + hours * 3600)
        assert list(run_due(jobs)) == []
    at(monkeypatch, NOON + 15.1 * 3600)
    began, ended = run_due(jobs)
    assert began == Began(job="nightly", missed=0)
    assert isinstance(ended, Ended)
    assert (ended.news.level, ended.news.title) == ("open", "nightly: could not tell")
    assert list(run_due(jobs)) == []
    assert performed == ["nightly"]


def test_missed_times_are_made_up_for_once(
    jobs: Settings, monkeypatch: pytest.MonkeyPatch, performed: list[str]
) -> None:
    at(monkeypatch, NOON)
    list(run_due(jobs))
    at(monkeypatch, NOON + 4 * 86_400)
    began, _ = run_due(jobs)
    assert began == Began(job="nightly", missed=3)
    assert list(run_due(jobs)) == []
    assert performed == ["nightly"]


def test_a_job_that_is_being_done_is_left_alone(jobs: Settings, performed: list[str]) -> None:
    events = schedule.run_now("nightly", jobs)
    assert isinstance(next(events), Began)
    with pytest.raises(StoreError, match="nightly is being done by another process"):
        next(schedule.run_now("nightly", jobs))
    assert list(run_due(jobs)) == []
    assert isinstance(next(events), Ended)
    assert performed == ["nightly"]


def test_a_job_is_what_a_person_would_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = Job(cron="* * * * *", dataset="q.jsonl", canaries="c.jsonl", live="7d", repeat=2)

    def typed(job: Job) -> list[str]:
        return [" ".join(command) for command in commands(job, Path("r.json"), Path("kept/o.json"))]

    drift = "eval drift oldest kept/o.json --markdown"
    first = [
        "eval run q.jsonl --repeat 2 --out r.json",
        "eval gate r.json --markdown",
        "eval canary run c.jsonl --repeat 2 --out kept/o.json",
        "eval drift --live 7d --markdown",
    ]
    # What is observed first is the oldest itself.
    assert typed(job) == first
    assert typed(job.model_copy(update={"reference": "named"}))[3] == drift.replace("oldest", "named")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "before.json").touch()
    assert typed(job) == [*first[:3], drift, first[3]]


@pytest.mark.parametrize(
    ("codes", "level"),
    [((0, 0), "ok"), ((1, 0), "ok"), ((0, 3), "open"), ((0, 1), "alarm"), ((None, 0), "alarm"), ((2, 3), "alarm")],
)
def test_what_exit_codes_say_together(codes: tuple[int | None, int], level: str) -> None:
    told = [("eval", "run", "q"), ("eval", "gate", "r")]
    steps = [Step(command=c, code=code, seconds=1, said="") for c, code in zip(told, codes, strict=True)]
    assert news("nightly", steps).level == level


def test_the_command_does_a_job_and_says_what_it_came_to(jobs: Settings) -> None:
    result = CliRunner().invoke(app, ["schedule", "nightly"])
    assert result.exit_code == 1
    assert "$ plumb eval run nothing.jsonl --repeat 1 --out" in result.output
    assert "can't read nothing.jsonl: No such file or directory" in result.output
    assert "nightly: look at this" in result.output
    unknown = CliRunner().invoke(app, ["schedule", "weekly"]).exception
    assert isinstance(unknown, ConfigError)
    assert "there is no job 'weekly'; expected one of nightly" in str(unknown)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (Job(cron="at three", dataset="q"), "jobs.x.cron is 'at three'; expected five fields of cron"),
        (Job(cron="0 3 * * * *", dataset="q"), "expected five fields of cron"),
        (Job(cron="0 3 * * *"), "jobs.x does nothing; expected a dataset, canaries or live"),
    ],
)
def test_jobs_that_can_not_be(job: Job, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check({"x": job})
    assert said in str(caught.value)


WATCH = """
[jobs.watch]
cron = "0 3 * * *"
canaries = "canaries.jsonl"
"""


def test_a_model_that_is_down_is_no_good_news(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(settings.root)
    file = settings.root / "plumbline.toml"
    file.write_text(file.read_text() + WATCH)
    lines = [json.dumps({"id": f"c{n}", "prompt": f"What is {n}?", "parser": "text"}) for n in range(3)]
    (settings.root / "canaries.jsonl").write_text("\n".join(lines) + "\n")
    for _ in range(2):
        assert CliRunner().invoke(app, ["canary", "run", "canaries.jsonl"]).exit_code == 0
    (settings.root / "script.json").write_text(json.dumps([{"match": "", "error": "the server is down"}]))
    result = CliRunner().invoke(app, ["schedule", "watch"])
    assert result.exit_code == 1, result.output
    assert "watch: look at this" in result.output


def test_a_job_that_is_ended_takes_its_commands_with_it(jobs: Settings) -> None:
    # A pipe that nobody writes to: the command waits for questions.
    os.mkfifo(jobs.root / "nothing.jsonl")
    command = [sys.executable, "-P", "-m", "rag.cli", "eval", "schedule", "nightly"]
    with subprocess.Popen(command, cwd=jobs.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as scheduler:
        children = _children(scheduler.pid)
        scheduler.terminate()
        scheduler.wait(timeout=30)
    assert children
    assert not any(psutil.pid_exists(pid) for pid in children)


def _children(parent: int) -> list[int]:
    for _ in range(300):
        if found := [child.pid for child in psutil.Process(parent).children(recursive=True)]:
            return found
        time.sleep(0.1)
    return []


def test_jobs_are_listed_with_what_was_done_and_what_is_due(
    jobs: Settings, monkeypatch: pytest.MonkeyPatch, performed: list[str]
) -> None:
    def listed() -> tuple[dict[str, Any], str]:
        (job,) = json.loads(CliRunner().invoke(app, ["schedule", "--list", "--json"]).stdout)
        return job, CliRunner().invoke(app, ["schedule", "--list"]).stdout

    at(monkeypatch, NOON)
    night = NOON + 15 * 3600
    new = {"job": "nightly", "cron": "0 3 * * *", "last": None, "due": night}
    assert listed() == (new, "nightly  0 3 * * *  last never; next 2026-05-05 03:00\n")
    assert list(run_due(jobs)) == []
    assert listed()[0] == new
    at(monkeypatch, night + 60)
    assert listed() == (new, "nightly  0 3 * * *  last never; next now\n")
    list(run_due(jobs))
    job, line = listed()
    assert job["last"] == {"due": night, "ended": night + 60, "level": "open"}
    assert job["due"] == night + 86_400
    assert line == "nightly  0 3 * * *  last 2026-05-05 03:01, could not tell; next 2026-05-06 03:00\n"
    assert performed == ["nightly"]


def test_what_ended_is_told_as_a_line_of_json(jobs: Settings, performed: list[str]) -> None:
    result = CliRunner().invoke(app, ["schedule", "nightly", "--json"])
    assert result.exit_code == 3
    (line,) = result.stdout.splitlines()
    told = json.loads(line)
    assert (told["job"], told["level"], told["title"]) == ("nightly", "open", "nightly: could not tell")
    assert [(step["code"], step["said"]) for step in told["steps"]] == [(3, "too few cases")]
    assert told["untold"] == []


@pytest.mark.parametrize("options", [("nightly", "--once"), ("nightly", "--list"), ("--once", "--list")])
def test_one_thing_at_a_time_is_scheduled(jobs: Settings, performed: list[str], options: tuple[str, ...]) -> None:
    refused = CliRunner().invoke(app, ["schedule", *options]).exception
    assert isinstance(refused, ConfigError)
    assert "more than one of a job, --once and --list" in str(refused)
    assert performed == []
