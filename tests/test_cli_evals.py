"""plumb eval, as it is typed: what is wrong is named where it was said, and what is asked for is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Plumb, failed, fine, in_process

CASE = {"id": "a", "question": "How much leave is there?", "facts": [["30"]], "sources": ["leave.md"]}


@pytest.fixture
def plumb(project: Path, monkeypatch: pytest.MonkeyPatch) -> Plumb:
    """The real command line in this process."""
    return in_process(project, monkeypatch)


@pytest.fixture
def questions(project: Path) -> Path:
    """A dataset of one case."""
    file = project / "questions.jsonl"
    file.write_text(json.dumps(CASE) + "\n")
    return file


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("retrieve.limit=many", "'retrieve.limit' in --set retrieve.limit=... is 'many'; expected a valid integer"),
        (
            "retrieve.limt=5",
            "unknown setting 'retrieve.limt' in --set retrieve.limt=...; expected a known key (did you",
        ),
        ("retrieve.limit.most=5", "'retrieve.limit' in --set retrieve.limit.most=... is {'most': 5}"),
        ("retrieve=5", "'retrieve' in --set retrieve=... is 5; expected a valid dictionary;"),
        ("roles.answer=some", "roles.answer is 'some'; expected 'provider:model', for example"),
    ],
)
def test_a_wrong_change_is_blamed_on_the_option(plumb: Plumb, questions: Path, change: str, said: str) -> None:
    told = failed(plumb("eval", "run", questions, "--set", "cache.enabled=false", "--set", change), code=2)
    assert said in told
    assert "--set" in told
    assert "or a PLUMB_* variable" not in told


def test_what_is_wrong_in_the_file_is_not_blamed_on_the_option(plumb: Plumb, project: Path, questions: Path) -> None:
    with (project / "plumbline.toml").open("a") as file:
        file.write('[retrieve]\ndepth = "deep"\n')
    told = failed(plumb("eval", "run", questions, "--set", "retrieve.limit=5"), code=2)
    assert "plumbline.toml or a PLUMB_* variable is 'deep'" in told


def test_facts_that_are_no_lists_are_told_by_an_example(plumb: Plumb, project: Path, questions: Path) -> None:
    with questions.open("a") as file:
        file.write(json.dumps({**CASE, "id": "b", "facts": ["20"]}) + "\n")
    told = failed(plumb("eval", "run", questions), code=2)
    assert "questions.jsonl, line 2: 'facts.0' is '20'; expected a valid array: each fact is a list" in told
    assert 'as in "facts": [["20", "twenty"]]' in told


def test_a_source_that_the_index_has_not_is_told(plumb: Plumb, filled: Path, questions: Path) -> None:
    confirm = ("eval", "cases", "confirm", "a", "--file", questions)
    told = plumb(*confirm, "--source", "nonexist.md", "--source", "leave.md", "--source", "docs/travel.md")
    assert told.returncode == 0
    (line,) = told.stderr.splitlines()
    assert line.startswith("plumb: warning: no document of the index is 'nonexist.md', so this source would never be")
    assert json.loads(questions.read_text())["sources"] == ["nonexist.md", "leave.md", "docs/travel.md"]
    fine(plumb(*confirm, "--source", "hr/leave.md"))
    # 'ave.md' is the end of a name, and no name.
    assert "'ave.md'" in plumb(*confirm, "--source", "ave.md").stderr
    (manifest,) = (filled / ".plumb").rglob("manifest.db")
    manifest.write_bytes(b"no database " * 1000)
    fine(plumb(*confirm, "--source", "nonexist.md"))


def test_of_an_index_that_is_not_there_nothing_is_told(plumb: Plumb, questions: Path) -> None:
    fine(plumb("eval", "cases", "confirm", "a", "--file", questions, "--source", "nonexist.md"))


def test_a_canary_that_can_never_be_right_is_refused(plumb: Plumb, project: Path) -> None:
    file, of = project / "canaries.jsonl", {"prompt": "Is 91 a prime number?", "parser": "label:[yes,no]"}
    lines = [{**of, "id": name, "expected": said} for name, said in (("good", "(No)"), ("bad", "maybe"))]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = failed(plumb("eval", "canary", "run", file), code=2)
    assert "canaries.jsonl, line 2: 'bad' expects 'maybe', which the parser label:[yes,no]@1 never reads" in told
    assert "expected one of yes, no; change 'expected' or 'parser'" in told


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "eval drift --model gpt-5",
            "--model without --live; expected --live beside it; add --live, or leave --model out",
        ),
        ("eval drift --live 7d --unpaired", "--unpaired beside --live"),
        ("eval drift march --live 7d", "REFERENCE beside --live"),
        ("eval drift --json --markdown", "--markdown beside --json"),
        ("eval compare a b --flips 9 --json", "--flips beside --json"),
        ("eval import csv t.csv --out o.jsonl --seed 3", "--seed without --limit"),
        ("eval cases --json", "--json without --history"),
        ("promote --history --repeat 1", "--repeat beside --history"),
        ("promote --history --rollback", "--history beside --rollback"),
        ("promote --rollback --set retrieve.limit=5", "--set beside --rollback"),
    ],
)
def test_what_would_be_ignored_is_refused(plumb: Plumb, typed: str, said: str) -> None:
    assert said in failed(plumb(*typed.split()), code=2)
