"""plumb eval compare, gate and baseline with real runs of scripted models: what the page of the gate shows."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from command_line import Plumb, failed, fine, parsed
from limits_project import write_project
from made_runs import cases, made

from evals.records import save_run

PAGE = Path(__file__).parents[2] / "docs" / "gate.md"
# What is another in every run.
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z|(?<=config )[0-9a-f]{12}")
NARROW = {"COLUMNS": "80", "NO_COLOR": "1"}
CODES = {"old": 0, "near": 3, "bad": 1}


def evened(text: str) -> str:
    """A screen without moments and white space at the end of lines."""
    lines = (line.rstrip() for line in MOMENT.sub("…", text).strip().splitlines())
    return "\n".join(lines)


def shown() -> list[str]:
    """The screens of the page, each after its command."""
    blocks = re.findall(r"^```text\n\$ plumb [^\n]*\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [evened(block) for block in blocks]


def ask(plumb: Plumb, model: str) -> None:
    """Run the questions through a scripted model; ids of runs have seconds, so each needs its own file."""
    fine(plumb("eval", "run", "limits.jsonl", env={"PLUMB_ROLES__ANSWER": f"scripted:{model}.json"}))


@pytest.fixture
def limits(project: Path, plumb: Plumb) -> Path:
    """The project of the page, with its baseline."""
    write_project(project)
    fine(plumb("ingest", "docs"))
    ask(plumb, "old")
    assert fine(plumb("eval", "baseline", "main", "latest")).startswith("main: ")
    return project


def test_the_page_shows_what_is_printed(limits: Path, plumb: Plumb) -> None:
    screens = shown()
    assert len(screens) == 4
    for (model, code), screen in zip(CODES.items(), screens, strict=False):
        ask(plumb, model)
        done = plumb("eval", "gate", env={**NARROW, "PLUMB_ROLES__ANSWER": f"scripted:{model}.json"})
        assert (done.returncode, done.stderr) == (code, "")
        assert evened(done.stdout) == screen
    assert evened(fine(plumb("eval", "compare", "main", "latest", "--flips", "1", env=NARROW))) == screens[3]
    kept = [json.loads(line) for line in (limits / ".plumb" / "evals" / "decisions.jsonl").read_text().splitlines()]
    assert [one["verdict"] for one in kept] == ["pass", "inconclusive", "fail"]


@pytest.fixture
def stored(project: Path) -> Mapping[str, Path]:
    """Runs of 100 cases that were not asked here: the same, and twelve lost."""
    asked = cases(100)
    runs = {
        "base": made("base", asked),
        "worse": made("worse", asked, {f"q{place}": "It is no." for place in range(12)}),
    }
    for name, run in runs.items():
        save_run(run, project / f"{name}.json")
    return {name: project / f"{name}.json" for name in runs}


def gate(plumb: Plumb, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return plumb("eval", "gate", "worse.json", "--baseline", "base.json", *arguments)


def test_files_are_gated_without_an_index(plumb: Plumb, stored: Mapping[str, Path], project: Path) -> None:
    as_json = gate(plumb, "--json")
    assert as_json.returncode == 1
    decision = json.loads(as_json.stdout)
    assert (decision["verdict"], decision["baseline"], decision["run"]) == ("fail", "base.json", "worse")
    as_markdown = gate(plumb, "--markdown")
    assert as_markdown.returncode == 1
    assert as_markdown.stdout.startswith("## ❌ Gate: fail\n")
    assert "<details><summary>12 cases got worse, 0 better</summary>" in as_markdown.stdout
    assert len((project / ".plumb" / "evals" / "decisions.jsonl").read_text().splitlines()) == 2


def test_settings_of_the_gate(plumb: Plumb, stored: Mapping[str, Path], project: Path) -> None:
    config = project / "plumbline.toml"
    config.write_text(f"{config.read_text()}\n[gate.margins]\ncorrect = 0.3\n")
    assert gate(plumb).returncode == 0
    config.write_text(f"{config.read_text()}nothing = 0.3\n")
    assert "[gate] names the metric 'nothing'" in failed(gate(plumb), code=2)
    config.write_text(config.read_text().replace("nothing = 0.3", "failed = 0.0"))
    assert "gate.margins.failed" in failed(gate(plumb), code=2)


def test_a_comparison_as_json_and_as_markdown(plumb: Plumb, stored: Mapping[str, Path]) -> None:
    found = parsed(plumb("eval", "compare", "base.json", "worse.json", "--json"))
    assert len(found["flips"]) == 12
    assert {"first", "second", "lost", "won", "question"} <= set(found["flips"][0])
    correct = next(one for one in found["metrics"] if one["metric"] == "correct")
    assert (correct["worse"], correct["test"], correct["difference"]) == (12, "McNemar", pytest.approx(-0.12))
    assert fine(plumb("eval", "compare", "base.json", "worse.json", "--markdown")).startswith("## base against worse\n")


def test_what_can_not_be_done_is_refused(plumb: Plumb, stored: Mapping[str, Path]) -> None:
    assert "there is no baseline yet" in failed(plumb("eval", "gate", "worse.json"), code=2)
    assert "no run 'latest'" in failed(plumb("eval", "compare", "base.json"), code=2)
    assert "--markdown beside --json" in failed(gate(plumb, "--json", "--markdown"), code=2)
    assert fine(plumb("eval", "baseline")).startswith("No run has a name yet")
    assert parsed(plumb("eval", "baseline", "good", "base.json", "--json"))["good"]["path"] == "base.json"
    assert fine(plumb("eval", "baseline")).startswith("good: base, base.json, set ")
    assert "a baseline (good)" in failed(plumb("eval", "gate", "worse.json"), code=2)
    assert "is not a run" in failed(plumb("eval", "compare", "plumbline.toml", "base.json"), code=2)
