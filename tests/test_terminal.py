"""What comes from outside reaches a terminal as text: it can't move the cursor, set a title or pose as a colour."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from command_line import Plumb
from rich.console import Console

from ingest.cli import follow
from ingest.progress import Document, Started
from rag.commands.project import Profile, init
from rag.distinct import LeftOut
from rag.drawing import STAGES, draw_answer, draw_found, draw_stream
from rag.engine import Delta, Engine, Event, Stage
from rag.errors import ConfigError
from rag.llm import Restart
from rag.observe.spool import Spool
from rag.search import Found
from rag.settings import load_settings
from rag.terminal import print_json
from rag.types import Answer, Claim, Hit, Trace, Verdict
from ui.chat import STAGES as PAGE_STAGES

# An escape, its eight-bit twin, a bell, and a markup tag that nothing opened.
HOSTILE = "x\x1b]0;owned\x07\x9b31m[/red]"
SHOWN = "x]0;owned31m[/red]"


@pytest.fixture
def answer(filled: Path) -> Answer:
    """An answer whose every text is hostile."""
    made = Engine.from_settings(load_settings(filled / "plumbline.toml")).ask("How many days of annual leave?")
    hits = tuple(_hostile(hit) for hit in made.hits)
    claim = Claim(text=HOSTILE, markers=(1,), support="unsupported", score=0, reason=HOSTILE)
    return replace(
        made,
        text=HOSTILE,
        hits=hits,
        passages=tuple(replace(passage, hit=_hostile(passage.hit)) for passage in made.passages),
        citations=tuple(replace(citation, uri=HOSTILE, headings=(HOSTILE,)) for citation in made.citations),
        verdict=Verdict(claims=(claim,)),
        models={"answer": HOSTILE},
    )


def test_a_contradicted_claim_is_told(answer: Answer) -> None:
    claim = Claim(text="31 days.", markers=(1,), support="contradicted", score=1, reason="it has 30 there")
    shown = drawn(lambda console: draw_answer(console, replace(answer, verdict=Verdict(claims=(claim,)))))
    assert "✗ contradicted: 31 days. (it has 30 there)" in shown


def test_every_stage_has_its_words() -> None:
    stages = set(get_args(get_type_hints(Stage)["name"]))
    assert stages == set(STAGES)
    assert stages <= set(PAGE_STAGES)


def _hostile(hit: Hit) -> Hit:
    return replace(hit, chunk=replace(hit.chunk, title=HOSTILE, uri=HOSTILE, headings=(HOSTILE,), text=HOSTILE))


def drawn(draw: Callable[[Console], None]) -> str:
    screen = StringIO()
    draw(Console(file=screen, width=500))
    return screen.getvalue()


def found(answer: Answer) -> Found:
    left_out = (LeftOut(hit=answer.hits[0], reason=HOSTILE),)
    return Found(hits=answer.hits, left_out=left_out, dense_weight=0.5)


def test_answers_and_hits_are_drawn_without_control_characters(answer: Answer) -> None:
    for text in (
        drawn(lambda screen: draw_answer(screen, answer)),
        drawn(lambda screen: draw_found(screen, found(answer), explain=False)),
        drawn(lambda screen: draw_found(screen, found(answer), explain=True)),
    ):
        assert text.count(SHOWN) >= 3
        assert not set("\x1b\x07\x9b") & set(text)


def test_an_answer_that_begins_anew_says_so(answer: Answer) -> None:
    events: list[Event] = [Delta(text="Wrong"), Restart(reason=HOSTILE), Delta(text="Right"), answer]
    text = drawn(lambda screen: draw_stream(screen, events))
    assert text.strip() == f"The answer begins anew: {SHOWN}"


def test_json_escapes_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({HOSTILE: [HOSTILE, "Grüße\n"]})
    text = capsys.readouterr().out
    assert not set("\x1b\x07\x9b") & set(text)
    assert "Grüße" in text
    assert json.loads(text) == {HOSTILE: [HOSTILE, "Grüße\n"]}


@pytest.mark.parametrize("command", [["doctor"], ["traces", "status"], ["ingest", "docs"]])
def test_commands_print_no_control_characters_of_others(plumb: Plumb, filled: Path, command: list[str]) -> None:
    (filled / "docs" / f"{HOSTILE.replace('/', '')}.md").write_text("# New\n\nA new document.\n")
    spool = Spool(filled / ".plumb" / "traces.db", destinations=["langfuse"])
    spool.add_trace(
        Trace(
            id="a" * 32, name="ask", started_at=1, ended_at=2, status="ok", input="", output="", attributes={}, steps=()
        )
    )
    spool.refused(spool.pending("langfuse", limit=1)[0], HOSTILE)
    spool.failed("langfuse", HOSTILE, wait_s=60)
    # With colours forced, the progress bar is drawn too.
    result = plumb(*command, env={"PLUMB_ROLES__ANSWER": f"local:{HOSTILE}", "FORCE_COLOR": "1"})
    told = result.stdout + result.stderr
    assert "owned" in told
    assert not {"\x1b]", "\x07", "\x9b"} & {told[at : at + size] for size in (1, 2) for at in range(len(told))}


def test_a_config_file_is_replaced_whole_or_not_at_all(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (project / "plumbline.toml").read_text()

    def full(_: object, target: object) -> None:
        raise OSError(28, os.strerror(28), str(target))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match="No space left"):
        init(profile=Profile.ollama, folder=project, force=True)
    assert [(file.name, file.read_text()) for file in project.iterdir()] == [("plumbline.toml", before)]


NAME = "/srv/shared/documents/of/a/department/with/long/names/minutes-of-the-meeting.pdf"


def _bar(columns: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """The last line that a run draws on a terminal of so many columns."""
    written = StringIO()
    screen = Console(file=written, force_terminal=True, no_color=True, width=columns)
    monkeypatch.setattr("ingest.cli.console", lambda **_: screen)
    done = [Document(uri=NAME, outcome="failed" if number else "added", chunks=5) for number in range(3)]
    follow(iter([Started(documents=12_558, version="v1"), *done, "the report"]))  # type: ignore[list-item]
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue()))
    return [line for line in lines if line.strip()][-1]


def test_a_long_name_leaves_room_for_the_numbers_of_the_progress_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (60, 80, 120):
        line = _bar(columns, monkeypatch)
        assert " 3/12558 " in line, line
        assert "chunks/s" in line, line
        assert len(line) <= columns


def test_a_run_that_is_interrupted_says_that_its_work_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> Iterator[Started]:
        yield Started(documents=1, version="v1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(interrupted())
    assert "ended by Ctrl-C; what is finished stays" in capsys.readouterr().err
