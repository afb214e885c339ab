"""plumb triage: bad answers in the terminal, and what is decided on them."""

from __future__ import annotations

from pathlib import Path

from command_line import ASKED, Plumb, failed, fine, parsed


def test_a_bad_answer_is_listed_and_decided_on(plumb: Plumb, filled: Path) -> None:
    trace_id = parsed(plumb("ask", "--json", ASKED))["trace_id"]
    assert "Nothing to decide" in fine(plumb("triage"))
    assert "is no complaint" in failed(plumb("triage", trace_id, "--state", "fixed"), code=2)
    fine(plumb("feedback", trace_id, "--down", "--reason", "outdated", "--comment", "see [3.2]"))
    shown = fine(plumb("triage")).splitlines()
    assert shown[0].split()[:3] == [trace_id[:8], "new", "outdated"]
    assert shown[1].strip().startswith("answered: Full-time employees have 30 working days")
    assert shown[2].strip() == "see [3.2]"
    assert "fixed" in fine(plumb("triage", trace_id, "--state", "fixed"))
    assert "Nothing to decide" in fine(plumb("triage"))
    (decided,) = parsed(plumb("triage", "--all", "--json"))
    assert (decided["state"], decided["kind"], decided["traces"]) == ("fixed", "outdated", [trace_id])
    assert "--state is 'done'" in failed(plumb("triage", "--state", "done"), code=2)
