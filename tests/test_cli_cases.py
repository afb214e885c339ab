"""plumb eval cases: from a complaint to a case that is run."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import ASKED, Plumb, failed, fine, parsed


def test_a_complaint_becomes_a_case_that_is_confirmed_and_run(plumb: Plumb, filled: Path) -> None:
    first = parsed(plumb("ask", "--json", ASKED))["trace_id"]
    fine(plumb("feedback", first, "--down", "--reason", "outdated", "--correction", "31 days", "--citation", "1:up"))
    again = parsed(plumb("ask", "--json", f"{ASKED} Please."))["trace_id"]
    fine(plumb("feedback", again, "--down"))
    assert "1 new case" in fine(plumb("eval", "cases", "collect", "--since", "7d", "--dry-run"))
    assert not (filled / "cases.jsonl").exists()
    shown = fine(plumb("eval", "cases", "collect", "--since", "7d"))
    assert f"takes in 2 answers: {again[:8]}, {first[:8]}" in shown
    assert f"also asked: {ASKED}" in shown
    assert "2 answers: 1 new case, 0 known; 1 to confirm" in shown
    assert "0 answers: 0 new cases" in fine(plumb("eval", "cases", "collect"))
    assert "Nothing to decide" in fine(plumb("triage"))
    (case,) = parsed(plumb("eval", "cases", "list", "--unconfirmed", "--json"))
    assert (case["expected"], case["sources"], case["weight"]) == ("31 days", ["docs/hr/leave.md"], 2)
    assert (case["then"]["models"], case["confirmed"]) == (["scripted:quote"], False)
    told = fine(plumb("eval", "cases", "confirm", again[:6], "--fact", "30|thirty", "--question", ASKED))
    assert "confirmed" in told
    run = parsed(plumb("eval", "run", "cases.jsonl", "--json"))
    assert run["summary"]["overall"]["correct"]["value"] == 1
    assert run["cases"][0]["then"]["trace_id"] == again
    refused = failed(plumb("eval", "cases", "--file", "other.jsonl", "drop", case["id"]), code=2)
    assert "expected the options of a command behind its name" in refused
    fine(plumb("eval", "cases", "drop", case["id"]))
    assert "No cases like this" in fine(plumb("eval", "cases", "list"))
    history = parsed(plumb("eval", "cases", "--history", "--json"))
    assert [(one["did"], one["ids"]) for one in history] == [
        (did, [case["id"]]) for did in ("collect", "confirm", "drop")
    ]
    assert history[0]["after"] == history[1]["before"]


def test_a_contradiction_is_shown_to_whoever_confirms(plumb: Plumb, filled: Path) -> None:
    for text in ("30 days", "31 days"):
        trace = parsed(plumb("ask", "--json", ASKED))["trace_id"]
        fine(plumb("feedback", trace, "--down", "--correction", text))
    shown = fine(plumb("eval", "cases", "collect"))
    assert "people corrected it differently: “31 days”; “30 days”; the latest is expected" in shown
    for command in ("list", "confirm"):
        shown = fine(plumb("eval", "cases", command, *([trace[:6]] if command == "confirm" else [])))
        assert "  31 days\n    people corrected it differently, also to: “30 days”\n" in shown
    trace = parsed(plumb("ask", "--json", ASKED))["trace_id"]
    fine(plumb("feedback", trace, "--down", "--correction", "33 days"))
    assert "corrected to: “33 days”; what was confirmed stays" in fine(plumb("eval", "cases", "collect", "--dry-run"))
    (told,) = parsed(plumb("eval", "cases", "collect", "--json"))["collected"]
    assert (told["case"]["also"], told["set_aside"]) == (["30 days"], ["33 days"])


def test_an_answer_is_made_a_case_and_nothing_is_made_twice(plumb: Plumb, filled: Path) -> None:
    trace = parsed(plumb("ask", "--json", ASKED))["trace_id"]
    told = fine(plumb("eval", "cases", "add", trace[:6]))
    assert "open" in told
    assert "nobody said what is right" in told
    assert "expected an answer that is no case yet" in failed(plumb("eval", "cases", "add", trace[:6]), code=2)
    assert "expected facts" in failed(plumb("eval", "cases", "confirm", trace[:6]), code=2)
    assert "(to decline)" in fine(plumb("eval", "cases", "confirm", trace[:6], "--decline"))
    file = filled / "cases.jsonl"
    file.write_text(file.read_text() + '{"id": "own", "question": "Q?", "sources": ["a.md"]}\n')
    fine(plumb("eval", "cases", "drop", "own"))
    history = fine(plumb("eval", "cases", "--history")).splitlines()
    assert ["by hand" in line for line in history] == [False, False, True, False]


def test_a_follow_up_keeps_the_conversation_before_it(plumb: Plumb, filled: Path) -> None:
    fine(plumb("chat", stdin=f"{ASKED}\nAnd part-time employees?\n"))
    newest = next(row for row in parsed(plumb("traces", "--json")) if row["name"] == "ask")
    fine(plumb("eval", "cases", "add", newest["id"], "--source", "hr/leave.md", "--file", "own.jsonl"))
    case = json.loads((filled / "own.jsonl").read_text())
    assert case["question"] == "And part-time employees?"
    assert [turn["question"] for turn in case["history"]] == [ASKED]
    assert case["conversation"] == newest["session"]
