"""Commands that change or make something tell it to programs, too: --json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Plumb, in_process, parsed
from prompt_server import FakePrompts

CASE = {"id": "a", "question": "How much leave is there?", "facts": [["30"]], "sources": ["leave.md"]}


@pytest.fixture
def plumb(project: Path, monkeypatch: pytest.MonkeyPatch) -> Plumb:
    """The real command line in this process."""
    return in_process(project, monkeypatch)


def test_versions_of_the_index(plumb: Plumb, filled: Path) -> None:
    built = parsed(plumb("index", "build", "v2", "--json"))
    assert (built["version"], built["live"], built["added"], built["failed"]) == ("v2", "v1", 3, 0)
    assert parsed(plumb("index", "switch", "v2", "--json")) == {"live": "v2", "before": "v1"}
    assert parsed(plumb("index", "rollback", "--json")) == {"live": "v1", "before": "v2"}
    assert parsed(plumb("index", "delete", "v2", "--json")) == {"deleted": "v2", "live": "v1"}


def test_documents_that_are_removed(plumb: Plumb, filled: Path) -> None:
    gone = ("docs/travel.md", "docs/travel.md", "docs/limits.csv")
    assert parsed(plumb("library", "remove", *gone, "--json")) == {"removed": ["docs/travel.md", "docs/limits.csv"]}
    assert [one["uri"] for one in parsed(plumb("library", "list", "--json"))] == ["docs/hr/leave.md"]


def test_cases_a_report_and_made_questions(plumb: Plumb, filled: Path) -> None:
    (filled / "cases.jsonl").write_text(json.dumps(CASE) + "\n")
    run = parsed(plumb("eval", "run", "cases.jsonl", "--json"))
    told = parsed(plumb("eval", "report", "--json"))
    assert (told["run"], told["against"]) == (run["id"], None)
    assert Path(told["path"]).read_text().startswith("<!doctype html")
    again = parsed(plumb("eval", "run", "cases.jsonl", "--json", "--out", "again.json"))
    told = parsed(plumb("eval", "report", "again.json", "--against", run["id"], "--json"))
    assert (told["run"], told["against"]) == (again["id"], run["id"])
    assert [case["id"] for case in parsed(plumb("eval", "cases", "drop", "a", "--json"))] == ["a"]
    made = parsed(plumb("eval", "synth", "--out", "made.jsonl", "--count", "1", "--rules", "--json"))
    assert made["cases"] == len(Path("made.jsonl").read_text().splitlines())
    assert made["cases"] == made["to_use"] + made["trivial"] + made["unanswerable"]
    assert (made["by"], made["path"]) == ("rules (English only)", "made.jsonl")


def test_prompts_on_the_server(plumb: Plumb, project: Path, fake_prompts: FakePrompts) -> None:
    with (project / "plumbline.toml").open("a") as file:
        file.write('[generate]\nprompts_dir = "prompts"\n')
    (project / "prompts").mkdir()
    pushed = parsed(plumb("prompts", "push", "answer", "--label", "production", "--json"))
    assert pushed == {"name": "answer", "version": 1, "label": "production"}
    same = {"name": "answer", "label": "production", "differs": False, "lines": []}
    assert parsed(plumb("prompts", "diff", "answer", "--json")) == same
    pulled = parsed(plumb("prompts", "pull", "answer", "--json"))
    own = project / "prompts" / "answer.md"
    assert pulled == {"name": "answer", "version": 1, "label": "production", "path": str(own)}
    own.write_text(own.read_text().replace("# user", "# user\nBe brief."))
    result = plumb("prompts", "diff", "answer", "--json")
    assert result.returncode == 1
    assert "+Be brief." in json.loads(result.stdout)["lines"]
    labelled = parsed(plumb("prompts", "label", "answer", "1", "trial", "--json"))
    assert labelled == {"name": "answer", "version": 1, "label": "trial"}


def test_feedback_that_is_pulled(plumb: Plumb) -> None:
    assert parsed(plumb("traces", "pull", "--json")) == {"answers": 0}
