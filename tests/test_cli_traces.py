"""What plumb traces prints: for people, and for other programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import ASKED, Plumb, failed, fine, parsed

from rag.observe.breakers import GIVE_UP_S, LEAST_FAILURES
from rag.observe.destinations import mark
from rag.observe.spool import Spool
from rag.prompts import load_prompt
from rag.sections import OtlpEndpoint
from rag.settings import Settings


def test_what_goes_to_another_program_is_not_broken_into_lines(plumb: Plumb, filled: Path) -> None:
    ask = "How many working days of annual leave do full-time employees have? I ask as I have been here since last May."
    fine(plumb("ask", ask))
    rows = fine(plumb("traces")).splitlines()
    assert any(ask in row for row in rows)
    assert not any(row.endswith(" ") for row in fine(plumb("search", ask)).splitlines())


def test_what_eval_runs_asked_is_told_apart(plumb: Plumb, filled: Path) -> None:
    fine(plumb("ask", ASKED))
    (filled / "cases.jsonl").write_text(
        json.dumps({"id": "a", "question": "Who painted the moon?", "answerable": False}) + "\n"
    )
    plumb("eval", "run", "cases.jsonl")
    found = {
        flag: [row["question"] for row in parsed(plumb("traces", "--json", *flag))]
        for flag in ((), ("--live",), ("--evals",))
    }
    assert found[("--live",)] == [ASKED]
    assert found[("--evals",)] == ["Who painted the moon?"]
    # The ingest, too.
    assert len(found[()]) == 3


def test_a_trace_tells_in_the_terminal_why_there_is_no_answer(plumb: Plumb, filled: Path) -> None:
    fine(plumb("ask", "Who painted the moon?"))
    latest = parsed(plumb("traces", "--json"))[0]["id"]
    text = fine(plumb("traces", latest))
    assert "abstained" in text.splitlines()[0]
    assert "output=NOT IN THE DOCUMENTS" in text
    assert "answerable_at=0.45" in text


def test_traces_name_what_was_ingested(plumb: Plumb, filled: Path) -> None:
    fine(plumb("ingest", "docs"))
    assert "ingest: docs" in fine(plumb("traces"))


def test_traces_are_found_by_what_they_are(plumb: Plumb, filled: Path) -> None:
    answered = parsed(plumb("ask", "--json", ASKED, "--as", "user:ada"))["trace_id"]
    declined = parsed(plumb("ask", "--json", "Who painted the moon?"))["trace_id"]
    fine(plumb("feedback", declined, "--down"))

    def found(*options: str) -> list[str]:
        return [row["id"] for row in parsed(plumb("traces", "--json", *options))]

    assert found("--abstained") == found("--rated", "down") == found("--text", "PAINTED the") == [declined]
    assert found("--user", "ada") == found("--text", "30 working days") == [answered]
    assert found("--index", "v1")[:2] == found("--index", "plumbline v1")[:2] == [declined, answered]
    assert (filled / ".plumb" / "traces.db").stat().st_mode & 0o077 == 0
    assert found("--model", "QUOTE", "--since", "1h", "--status", "ok") == [declined, answered]
    assert (
        found("--prompt", "answer")
        == found("--prompt", f"answer@{load_prompt('answer', own=None).version}")
        == [answered]
    )
    for none in (["--slower-than", "60"], ["--dearer-than", "0"], ["--until", "2020-01-01"], ["--index", "1"]):
        assert found(*none) == []
    assert "No traces" in fine(plumb("traces", "--unsupported"))
    for wrong in (["--rated", "bad"], ["--since", "monday"], ["--status", "?"]):
        assert f"{wrong[0]} is '{wrong[1]}'" in failed(plumb("traces", *wrong), code=2)


def test_traces_are_found_by_their_tags(plumb: Plumb, filled: Path) -> None:
    trace_id = parsed(plumb("ask", "--json", ASKED, "--tag", "pilot", "--tag", "two words"))["trace_id"]
    fine(plumb("chat", "--tag", "spoken", stdin=f"{ASKED}\n\n"))
    (row,) = parsed(plumb("traces", "--json", "--tag", "two words"))
    assert (row["id"], row["tags"]) == (trace_id, ["pilot", "two words"])
    assert "[pilot, two words]" in fine(plumb("traces", "--tag", "pilot"))
    assert "tags: pilot, two words" in fine(plumb("traces", trace_id))
    assert len(parsed(plumb("traces", "--json", "--tag", "spoken"))) == 1
    assert "at most limits.tag_chars" in failed(plumb("ask", ASKED, "--tag", "x" * 101), code=2)


def test_a_trace_is_a_tree_with_its_passages_and_claims(plumb: Plumb, filled: Path) -> None:
    trace_id = parsed(plumb("ask", "--json", ASKED))["trace_id"]
    lines = fine(plumb("traces", trace_id)).splitlines()
    retrieve = next(at for at, line in enumerate(lines) if "retrieve" in line)
    assert "leave.md" in lines[retrieve + 1]
    assert "dense=" in lines[retrieve + 1]
    assert any("✓" in line and "30 working days" in line for line in lines)
    assert any("tokens" in line and "generate" in line for line in lines)


def test_new_traces_follow_the_latest(plumb: Plumb, filled: Path) -> None:
    for number in range(3):
        fine(plumb("ask", f"{ASKED} {number}"))
    command = [sys.executable, "-m", "rag.cli", "traces", "--follow", "--json", "--limit", "2"]
    with subprocess.Popen(command, cwd=filled, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout
        shown = [json.loads(following.stdout.readline())["question"] for _ in range(2)]
        fine(plumb("ask", f"{ASKED} 3"))
        shown.append(json.loads(following.stdout.readline())["question"])
        following.terminate()
    assert shown == [f"{ASKED} {number}" for number in (1, 2, 3)]


OTLP = {"PLUMB_OTLP__ENDPOINT": "http://127.0.0.1:1/v1/traces"}
OTLP_MARK = mark("otlp", Settings(otlp=OtlpEndpoint(endpoint="http://127.0.0.1:1/v1/traces")))
LANGFUSE = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk", "PLUMB_LANGFUSE__HOST": "http://127.0.0.1:1"}


def test_delivery_is_told_by_destination(plumb: Plumb, filled: Path) -> None:
    fine(plumb("ask", "Who painted the moon?"))
    assert "no destination is set" in fine(plumb("traces", "status"))
    assert "no destination is set" in plumb("traces", "ship").stderr
    spool = Spool(filled / ".plumb" / "traces.db", destinations=["langfuse", "otlp"])
    for number in range(3):
        made = replace(spool.trace(spool.traces(limit=1)[0].id), id=f"{number:032x}")
        spool.add_trace(made)
    first, second, _ = spool.pending("langfuse", limit=3)
    spool.delivered(first)
    spool.refused(second, "it answered 413")
    spool.failed("otlp", "it is down", wait_s=600)
    told = fine(plumb("traces", "status", env=LANGFUSE | OTLP)).splitlines()
    assert told[0] == "langfuse: waiting 1, delivered 1, refused 1; closed"
    assert told[1] == "  refused 1: it answered 413"
    assert re.fullmatch(r"otlp: waiting 3, delivered 0, refused 0; open until \d\d:\d\d:\d\d", told[2])
    assert re.fullmatch(r"  failed once, last \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: it is down", told[3])
    langfuse, otlp = parsed(plumb("traces", "status", "--json", env=LANGFUSE | OTLP))
    assert (langfuse["waiting"], langfuse["reasons"], langfuse["state"]) == (1, {"it answered 413": 1}, "closed")
    assert (otlp["state"], otlp["breaker"]["failures"], otlp["breaker"]["reason"]) == ("open", 1, "it is down")


def test_a_destination_that_turned_us_away_for_a_day_is_named(
    plumb: Plumb, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine(plumb("ask", "Who painted the moon?"))
    spool = Spool(filled / ".plumb" / "traces.db", destinations=["otlp"])
    spool.add_trace(spool.trace(spool.traces(limit=1)[0].id))
    began = time.time() - GIVE_UP_S
    with monkeypatch.context() as patch:
        patch.setattr("rag.observe.breakers.time.time", lambda: began)
        for _ in range(LEAST_FAILURES):
            spool.failed("otlp", "it answered 401", wait_s=1, is_refusal=True, mark=OTLP_MARK)
    spool.failed("otlp", "it answered 401", wait_s=1, is_refusal=True, mark=OTLP_MARK)
    first, failure = fine(plumb("traces", "status", env=OTLP)).splitlines()
    assert first == (
        "otlp: waiting 1, delivered 0, refused 0; given up; other keys, or 'plumb traces ship', try it again"
    )
    assert failure.endswith("it answered 401")
    assert parsed(plumb("traces", "status", "--json", env=OTLP))[0]["state"] == "given up"
    assert "otlp: it was given up: it answered 401" in plumb("traces", "ship", "--due", env=OTLP).stderr


def test_a_line_for_each_destination_is_shipped(plumb: Plumb, filled: Path) -> None:
    spool = Spool(filled / ".plumb" / "traces.db", destinations=["langfuse", "otlp"])
    spool.add_trace(spool.trace(spool.traces(limit=1)[0].id))
    shipped = plumb("traces", "ship", env=LANGFUSE | OTLP)
    lines = [f"{name}: delivered 0, refused 0, waiting 1" for name in ("langfuse", "otlp")]
    assert (shipped.returncode, shipped.stdout.splitlines()) == (1, lines)
    assert "otlp: http://127.0.0.1:1/v1/traces can't be reached" in shipped.stderr
    spool.failed("otlp", "it is down", wait_s=600, mark=OTLP_MARK)
    due = json.loads(plumb("traces", "ship", "--due", "--json", env=OTLP).stdout)
    assert [(one["destination"], one["reason"]) for one in due] == [
        ("otlp", "it is left alone for a while: it is down")
    ]


def test_drafts_of_several_models_are_told_apart(plumb: Plumb, filled: Path) -> None:
    (filled / "plumbline.toml").write_text(
        '[roles]\nanswer = ["scripted:quote", "scripted:none.json"]\nembed = "scripted:words"\n'
        '[generate]\nstrategy = "vote"\n'
    )
    (filled / "none.json").write_text("[]")
    trace_id = parsed(plumb("ask", "--json", ASKED))["trace_id"]
    lines = fine(plumb("traces", trace_id)).splitlines()
    deep = {name: [line.index(name) for line in lines if f"── {name} " in line] for name in ("draft", "generate")}
    assert len(deep["draft"]) == 2
    assert min(deep["generate"]) > max(deep["draft"])
    assert any("draft" in line and "model=scripted:none.json" in line for line in lines)
    assert any("embed" in line and "model=scripted:words" in line for line in lines)
