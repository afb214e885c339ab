"""plumb eval canary and plumb eval drift, as commands; live traffic from real traces."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from evals.drift.live import answers, compare_live
from rag.embed.scripted import ScriptedEmbedder
from rag.observe.spool import Spool
from rag.types import Step, Trace
from tests.command_line import Plumb, failed, fine, in_process

QUESTIONS = [f"What is item {number} of the list?" for number in range(24)]
SPOKEN = "The list says of item {} that it is due on Monday."


@pytest.fixture
def plumb(project: Path, monkeypatch: pytest.MonkeyPatch) -> Plumb:
    """The real command line in this process."""
    return in_process(project, monkeypatch)


@pytest.fixture
def canaries(project: Path) -> Path:
    file = project / "canaries.jsonl"
    lines = [{"id": f"c{n}", "prompt": text, "parser": "number", "expected": str(n)}
             for n, text in enumerate(QUESTIONS)]  # fmt: skip
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (project / "plumbline.toml").write_text('[roles]\nanswer = "scripted:script.json"\nembed = "scripted:words"\n')
    return file


def script(project: Path, reply: str, *, broken: str = "") -> None:
    entries: list[dict[str, Any]] = [{"match": broken, "error": "the server is down"}] if broken else []
    entries += [{"match": re.escape(text), "reply": reply.format(n)} for n, text in enumerate(QUESTIONS)]
    (project / "script.json").write_text(json.dumps(entries))


def test_nothing_changed_then_the_model_did(plumb: Plumb, project: Path, canaries: Path) -> None:
    script(project, SPOKEN)
    told = fine(plumb("eval", "canary", "run", canaries, "--name", "march"))
    assert "24 canaries, 24 answers by scripted:script.json × 24" in told
    fine(plumb("eval", "canary", "run", canaries))
    assert "no drift" in fine(plumb("eval", "drift", "march"))
    script(project, "```\nThe list says of item {} that it is due on Monday.\n```")
    fine(plumb("eval", "canary", "run", canaries))
    result = plumb("eval", "drift", "march")
    assert (result.returncode, result.stderr) == (1, "")
    assert "DRIFT: form\n" in result.stdout
    assert "model (unannounced): nothing of ours differs" in result.stdout
    assert "look 2 at this reference" in result.stdout
    assert "since       after " in result.stdout
    as_json = json.loads(plumb("eval", "drift", "march", "--json").stdout)
    assert (as_json["outcome"], as_json["exit_code"], as_json["look"]) == ("drift", 1, 2)
    assert "fences" in {signal["name"] for signal in as_json["signals"] if signal["fires"]}
    markdown = plumb("eval", "drift", "march", "latest", "--markdown").stdout
    assert markdown.startswith("**DRIFT: form**\n")
    assert "| form | fences | 0% | 100% |" in markdown
    listed = fine(plumb("eval", "canary", "list"))
    assert len(listed.splitlines()) == 3


def test_too_few_canaries_and_failures_have_their_own_exit_code(plumb: Plumb, project: Path, canaries: Path) -> None:
    script(project, SPOKEN)
    fine(plumb("eval", "canary", "run", canaries, "--name", "first"))
    script(project, SPOKEN, broken=r"item (1|4|7|10|13|16|19)\b")
    result = plumb("eval", "canary", "run", canaries)
    assert result.returncode == 1
    assert "c4  failed: scripted:script.json: the server is down" in result.stdout
    result = plumb("eval", "drift", "first")
    assert result.returncode == 3
    assert "could not find out: 7 of 24 calls failed" in result.stdout


def test_a_server_that_is_down_ends_the_run_with_a_word(plumb: Plumb, project: Path, canaries: Path) -> None:
    script(project, SPOKEN, broken="item")
    result = plumb("eval", "canary", "run", canaries)
    assert result.returncode == 1
    assert "the server is down" in result.stderr
    assert not (project / ".plumb" / "evals" / "observations").exists()


def test_what_cant_be_compared_is_a_word(plumb: Plumb, project: Path, canaries: Path) -> None:
    failed(plumb("eval", "drift"), code=2)
    script(project, SPOKEN)
    fine(plumb("eval", "canary", "run", canaries))
    failed(plumb("eval", "drift"), code=2)
    failed(plumb("eval", "canary", "run", canaries, "--name", "latest"), code=2)


def test_a_changed_prompt_of_ours_is_named(
    plumb: Plumb, project: Path, canaries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [{"id": f"c{n}", "question": text, "passages": [SPOKEN.format(n)]} for n, text in enumerate(QUESTIONS)]
    canaries.write_text("".join(json.dumps(line) + "\n" for line in lines))
    script(project, SPOKEN)
    fine(plumb("eval", "canary", "run", canaries))
    script(project, "# Item {}\n\nIt is due on Monday.")
    monkeypatch.setenv("PLUMB_GENERATE__PROMPT", "answer-cited")
    fine(plumb("eval", "canary", "run", canaries, "--temperature", "0.5"))
    result = plumb("eval", "drift")
    assert result.returncode == 1
    assert "can't be told apart" in result.stdout
    assert "settings: temperature 0 → 0.5" in result.stdout
    assert "answer-cited" in result.stdout


def trace(number: int, asked_at: float, *, text: str, abstained: bool = False, model: str = "m-1") -> Trace:
    call = {"model": "openai:m", "resolved_model": model, "finish_reason": "stop", "prompt_id": "answer",
            "prompt_version": "3", "prompt_sha": "abc"}  # fmt: skip
    step = Step(id=f"{number:016x}", parent_id=None, name="generate", kind="generation", started_at=asked_at,
                ended_at=asked_at, attributes=call)  # fmt: skip
    return Trace(
        id=f"{number:032x}",
        name="ask",
        started_at=asked_at,
        ended_at=asked_at + 1,
        status="ok",
        input=QUESTIONS[number % 24] + f" {number % 50}",
        output=text,
        attributes={"abstained": abstained, "supported_share": 1.0, "index": "v1", "config_hash": "c"},
        steps=(step,),
    )


def test_live_answers_are_compared_by_form_and_content(tmp_path: Path) -> None:
    spool, now, day = Spool(tmp_path / "traces.db"), time.time(), 86_400.0
    for number in range(50):
        text = f"The list says of item {number} that it is due on Monday, as far as is known."
        spool.add_trace(trace(number, now - 10 * day + number, text=text))
        spool.add_trace(trace(100 + number, now - 2 * day + number, text=f"**{text}**", model="m-2",
                              abstained=number % 2 == 0))  # fmt: skip
    before = answers(spool, since=now - 14 * day, until=now - 7 * day)
    after = answers(spool, since=now - 7 * day, until=now)
    told = compare_live(before, after, embedder=ScriptedEmbedder("scripted:words"))
    fired = {signal.name for signal in told.fired}
    assert {"markdown", "refusals"} <= fired
    assert told.outcome == "drift"
    assert [change.told for change in told.model] == ["resolved model m-1 → m-2"]
    assert told.notes["questions"].startswith("the questions are not measurably others")
    assert told.missing["right"] == "nobody says what would be right"
    few = compare_live(before, answers(spool, since=now - day, until=now), embedder=None)
    assert (few.outcome, few.fired) == ("unknown", ())


def test_live_as_a_command(plumb: Plumb, project: Path) -> None:
    result = plumb("eval", "drift", "--live", "7d")
    assert result.returncode == 3
    assert "could not find out: too few answers: 0 before, 0 after" in result.stdout
