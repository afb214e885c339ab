"""plumb eval runs and decisions: what is kept, newest first, and what is no run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import ESCAPE, Plumb, failed, fine, parsed
from made_runs import cases, made

from evals import progress
from evals.baselines import find_run
from evals.decisions import decisions_path, record
from evals.gate import decide
from evals.records import Run, save_run
from rag.errors import InputError
from rag.settings import load_settings


@pytest.fixture
def kept(project: Path) -> tuple[Run, Run]:
    """A run that ended early and a later one, which costs something; the first is kept elsewhere."""
    asked = cases(10)
    whole = made("first", asked, {"q0": None})
    first = replace(whole, records=whole.records[:8])
    costly = made("second", asked)
    records = tuple(replace(one, cost=0.25) for one in costly.records)
    second = replace(costly, records=records, started="2026-02-01T00:00:00+00:00")
    save_run(first, project / "trusted.json")
    save_run(second, project / ".plumb" / "runs" / "second.json")
    return first, second


def test_runs_are_listed_newest_first(project: Path, kept: tuple[Run, Run], plumb: Plumb) -> None:
    assert plumb("eval", "baseline", "main", "trusted.json").returncode == 0
    runs = project / ".plumb" / "runs"
    (runs / "no\x1b[31mrun.json").write_text("[1, 2")
    told = parsed(plumb("eval", "runs", "--json"))
    second, first = told["runs"]
    assert [second["id"], first["id"]] == [run.id for run in reversed(kept)]
    assert (first["baselines"], second["baselines"]) == (["main"], [])
    assert (first["cases"], first["asked"], first["failed"], second["failed"]) == (10, 8, 1, 0)
    assert (first["cost"], second["cost"]) == (None, 2.5)
    right = second["figures"]["correct"]
    assert (right["cases"], right["value"], round(right["low"], 3)) == (10, 1.0, 0.722)
    assert second["figures"]["failed"]["value"] == 0
    meanings = {one["name"]: one for one in told["metrics"]}
    assert set(second["figures"]) <= set(meanings)
    assert (meanings["failed"]["unit"], meanings["failed"]["low_is_good"]) == ("share", True)
    assert (meanings["total_ms_p95"]["unit"], meanings["total_ms_p95"]["low_is_good"]) == ("ms", True)
    assert "records" not in second
    assert [Path(one["path"]).name for one in told["unreadable"]] == ["no\x1b[31mrun.json"]
    # A file that is none hides no other.
    assert "now: second" in fine(plumb("eval", "baseline", "now", "latest"))
    shown = fine(plumb("eval", "runs"))
    assert "first  [main]" in shown
    assert "8 of 10 cases of made aaaaaaaaaaaa" in shown
    assert "correct 100.0 % 72–100 %" in shown
    assert "total_ms" not in shown
    assert "cost 2.5" in shown
    assert "is no run: the file: Invalid JSON" in shown
    assert ESCAPE not in shown


def test_a_path_that_runs_tells_can_be_compared(kept: tuple[Run, Run], plumb: Plumb) -> None:
    assert plumb("eval", "baseline", "main", "trusted.json").returncode == 0
    paths = [run["path"] for run in parsed(plumb("eval", "runs", "--json"))["runs"]]
    found = parsed(plumb("eval", "compare", *reversed(paths), "--json"))
    assert (found["first"]["run_id"], found["second"]["run_id"]) == tuple(run.id for run in kept)


def test_the_run_of_a_baseline_is_not_scored_or_asked_in_its_place(
    project: Path, kept: tuple[Run, Run], plumb: Plumb
) -> None:
    file = project / ".plumb" / "runs" / "second.json"
    file.write_text(file.read_text().replace('"judged": null', '"judged": 1.0'))
    told = parsed(plumb("eval", "score", "latest", "--json"))
    assert (told["id"], Path(told["path"]).name) == ("second", "second.json")
    assert told["summary"]["overall"]["judged"]["value"] == 1.0
    fine(plumb("eval", "baseline", "main", "second"))
    before = file.read_bytes()
    for name in ("main", "second", str(file)):
        said = failed(plumb("eval", "score", name), code=2)
        assert "is the run of the baseline 'main'" in said
    settings = load_settings(project / "plumbline.toml")
    with pytest.raises(InputError, match="is the run of the baseline 'main'"):
        progress.kept(iter([kept[1]]), file, settings)
    assert file.read_bytes() == before
    fine(plumb("eval", "score", "main", "--out", str(project / "again.json")))
    assert (project / "again.json").exists()
    assert find_run(settings, "main").id == "second"


def test_a_baseline_that_ended_early_is_told(kept: tuple[Run, Run], plumb: Plumb) -> None:
    assert "'main' is a run that ended early" in plumb("eval", "baseline", "main", "trusted.json").stderr
    assert "ended early" not in plumb("eval", "baseline", "main", "second").stderr


def test_decisions_are_listed_newest_first(project: Path, kept: tuple[Run, Run], plumb: Plumb) -> None:
    settings = load_settings(project / "plumbline.toml")
    for run in kept:
        record(decide(kept[1], run, settings.gate, name="main"), decisions_path(settings))
    told = parsed(plumb("eval", "decisions", "--json"))
    assert [one["run"] for one in told] == ["second", "first"]
    assert [one["run"] for one in parsed(plumb("eval", "decisions", "--limit", "1", "--json"))] == ["second"]
    shown = fine(plumb("eval", "decisions"))
    assert "inconclusive  first against 'main', second, 8 cases" in shown
    assert "the run ended early: 2 questions of 10 not asked" in shown


def test_nothing_kept_says_what_to_type(project: Path, plumb: Plumb) -> None:
    assert "plumb eval run DATASET" in fine(plumb("eval", "runs"))
    assert "plumb eval gate" in fine(plumb("eval", "decisions"))
    told = parsed(plumb("eval", "runs", "--json"))
    assert (told["runs"], told["unreadable"]) == ([], [])
    (project / ".plumb" / "evals").mkdir(parents=True)
    (project / ".plumb" / "evals" / "baselines.json").write_text(json.dumps([]))
    failed(plumb("eval", "runs"), code=2)
