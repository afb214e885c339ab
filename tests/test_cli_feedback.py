"""plumb feedback: said in the terminal, shown there, taken back there."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Plumb, fine, parsed

ASK = "How many working days of annual leave do full-time employees have?"


@pytest.fixture
def asked(plumb: Plumb, filled: Path) -> str:
    return str(parsed(plumb("ask", "--json", ASK))["trace_id"])


def test_what_is_said_adds_up_and_is_taken_back(plumb: Plumb, asked: str) -> None:
    assert "Nobody says anything" in fine(plumb("feedback", asked))
    fine(plumb("feedback", asked, "--down", "--reason", "outdated", "--reason", "wrong", "--comment", "see 3.2"))
    shown = fine(plumb("feedback", asked[:8], "--correction", "31 days.", "--citation", "1:down"))
    assert shown.strip() == "somebody: down; outdated; wrong; citation 1 down; see 3.2; right would be: 31 days."
    fine(plumb("feedback", asked, "--up", "--as", "user:ada"))
    said = parsed(plumb("feedback", asked, "--json"))
    assert [(one["user"], one["up"]) for one in said] == [("", False), ("ada", True)]
    assert "feedback of ada: up" in fine(plumb("traces", asked))
    assert parsed(plumb("traces", asked, "--json"))["feedback"] == said
    fine(plumb("feedback", asked, "--withdraw"))
    assert fine(plumb("feedback", asked)).strip() == "ada: up"


def test_a_thumb_up_drops_nothing(plumb: Plumb, asked: str) -> None:
    fine(plumb("feedback", asked, "--up", "--reason", "incomplete", "--correction", "31 days."))
    assert fine(plumb("feedback", asked)).strip() == "somebody: up; incomplete; right would be: 31 days."
    fine(plumb("feedback", asked, "--withdraw", "--up"))
    assert fine(plumb("feedback", asked)).strip() == "somebody: up"


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--reason", "ugly"], 2, "expected one of wrong, not-in-sources"),
        (["--citation", "1"], 2, "write it as 2:up or 2:down"),
        (["--citation", "7:up"], 2, "no citation 7; expected one of 1"),
    ],
)
def test_what_can_not_be_said_is_one_line(plumb: Plumb, asked: str, options: list[str], code: int, told: str) -> None:
    done = plumb("feedback", asked, *options)
    assert done.returncode == code
    assert told in done.stderr
    assert "Nobody says anything" in fine(plumb("feedback", asked))
