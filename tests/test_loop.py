"""docs/loop.md: its commands, one after the other, in a folder with the examples and its settings."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from test_docs import ROOT, call

PAGE = (ROOT / "docs" / "loop.md").read_text(encoding="utf-8")


def fenced(language: str) -> list[str]:
    """The blocks of the page in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every command of the page, in order."""
    return [line.removeprefix("$ plumb ") for block in fenced("console") for line in block.splitlines()]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[subprocess.CompletedProcess[str]]]:
    """What came of each command; one that stands there twice has two outcomes."""
    folder = tmp_path_factory.mktemp("loop")
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "plumbline.toml").write_text(fenced("toml")[0])
    done: dict[str, list[subprocess.CompletedProcess[str]]] = {}
    for command in commands():
        words = [asked(folder) if word == "ID" else word for word in shlex.split(command)]
        # The settings of the page say what is asked, not the variables of the other pages.
        done.setdefault(command, []).append(call(["-c", UNSET, *words], folder))
    return done


UNSET = """
import os, sys
for name in ("PLUMB_ROLES__ANSWER", "PLUMB_ROLES__EMBED"):
    os.environ.pop(name, None)
from rag.cli import main
sys.argv[0] = "plumb"
main()
"""


def asked(folder: Path) -> str:
    """The trace of the first answer that a person got."""
    rows = json.loads(call(["-m", "rag.cli", "traces", "--json", "--limit", "1000"], folder).stdout)
    mine = [row["id"] for row in rows if row["name"] == "ask" and not row["session"].startswith("eval:")]
    return str(mine[-1][:6])


def said(outcomes: Mapping[str, list[subprocess.CompletedProcess[str]]], begins: str, place: int = 0) -> str:
    """What a command that begins so printed, in one line."""
    command = next(command for command in outcomes if command.startswith(begins))
    return " ".join(outcomes[command][place].stdout.split())


def test_every_command_does_what_it_should(
    outcomes: Mapping[str, list[subprocess.CompletedProcess[str]]],
) -> None:
    for command, all_done in outcomes.items():
        for done in all_done:
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_complaint_becomes_a_passing_test(
    outcomes: Mapping[str, list[subprocess.CompletedProcess[str]]],
) -> None:
    assert said(outcomes, "ask").startswith("The documents don't hold the answer.")
    assert "incomplete" in said(outcomes, "triage")
    assert "1 new case" in said(outcomes, "eval cases collect")
    assert re.search(r"declined, though answerable: .*trace-", said(outcomes, "eval run"))
    verdict = said(outcomes, "promote --set")
    assert verdict.startswith("PASS")
    assert "in force: retrieve.limit = 8" in verdict
    assert "up to 6 a year [2]" in said(outcomes, "ask", 1)
    assert "no drift" in said(outcomes, "eval drift")


def test_the_page_shows_the_figures_that_are_printed(
    outcomes: Mapping[str, list[subprocess.CompletedProcess[str]]],
) -> None:
    printed = said(outcomes, "promote --set")
    table = next(block for block in fenced("text") if block.startswith("PASS"))
    for line in table.splitlines():
        assert " ".join(line.split()) in printed
