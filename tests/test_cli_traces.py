"""What plumb traces prints: for people, and for other programs."""

from __future__ import annotations

from pathlib import Path

from command_line import Plumb, fine, parsed


def test_what_goes_to_another_program_is_not_broken_into_lines(plumb: Plumb, filled: Path) -> None:
    ask = "How many working days of annual leave do full-time employees have? I ask as I have been here since last May."
    fine(plumb("ask", ask))
    rows = fine(plumb("traces")).splitlines()
    assert any(ask in row for row in rows)
    assert not any(row.endswith(" ") for row in fine(plumb("search", ask)).splitlines())


def test_a_trace_tells_in_the_terminal_why_there_is_no_answer(plumb: Plumb, filled: Path) -> None:
    fine(plumb("ask", "Who painted the moon?"))
    latest = parsed(plumb("traces", "--json"))[0]["id"]
    text = fine(plumb("traces", latest))
    assert text.splitlines()[0].endswith("abstained")
    assert "output=NOT IN THE DOCUMENTS" in text
    assert "answerable_at=0.45" in text


def test_traces_name_what_was_ingested(plumb: Plumb, filled: Path) -> None:
    fine(plumb("ingest", "docs"))
    assert "ingest: docs" in fine(plumb("traces"))
