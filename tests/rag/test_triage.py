"""Bad answers as a queue: kinds by frequency, the same complaint once, and what was decided on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from observed import ask_trace

from rag.embed.scripted import ScriptedEmbedder
from rag.observe.spool import Spool
from rag.retell import case_of
from rag.topics import topics
from rag.triage import Complaint, left_out
from rag.triage import queue as waiting
from rag.types import PUBLIC, Feedback, Reason, Scope, Step

LEAVE = "How many days of leave do I have?"
EMBED = ScriptedEmbedder("scripted:words").embed


def asked(spool: Spool, number: int, question: str, said: Feedback | None, share: float = 1.0) -> str:
    trace_id, facts = f"{number:032x}", {"supported_share": share}
    spool.add_trace(ask_trace(trace_id, started_at=float(number), input=question, attributes=facts))
    if said:
        spool.add_feedback(replace(said, trace_id=trace_id))
    return trace_id


def queue(spool: Spool) -> list[Complaint]:
    return waiting(spool, embed=EMBED)


def down(*reasons: Reason, comment: str = "", correction: str = "") -> Feedback:
    return Feedback(trace_id="", up=False, reasons=reasons, comment=comment, correction=correction)


def test_complaints_without_texts_are_decided_on_each_by_itself(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db")
    mute = [asked(spool, number, "", down("wrong", comment="not so")) for number in (1, 2)]
    told = asked(spool, 3, LEAVE, down("wrong"))
    assert [(one.question, one.traces) for one in queue(spool)] == [
        (LEAVE, (told,)),
        ("", (mute[1],)),
        ("", (mute[0],)),
    ]
    assert next(one.answer for one in queue(spool)) == "You have 30 days [1]."
    spool.decide([mute[0]], "wontfix")
    assert [one.state for one in queue(spool)] == ["new", "new", "wontfix"]


def test_the_most_frequent_kind_comes_first_and_the_same_complaint_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db")
    first = asked(spool, 1, LEAVE, down("outdated", comment="it is 30 now", correction="30 days."))
    asked(spool, 2, "Where is the printer room?", down())
    asked(spool, 3, "What does the anchor weigh?", None, share=0.5)
    asked(spool, 4, "Who signs a travel claim?", down("outdated"))
    latest = asked(spool, 5, LEAVE, down("outdated", comment="still old"))
    asked(spool, 6, "Is there coffee?", Feedback(trace_id="", up=True))
    found = queue(spool)
    assert [one.kind for one in found] == ["outdated", "outdated", "rated down", "unsupported"]
    asked(spool, 7, "Is there tea?", Feedback(trace_id="", up=True, correction="On every floor."))
    assert "corrected" in [one.kind for one in queue(spool)]
    assert (found[0].question, found[0].traces) == (LEAVE, (latest, first))
    assert (found[0].comments, found[0].correction) == (("still old", "it is 30 now"), "30 days.")


def test_what_is_decided_holds_until_it_happens_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db")
    asked(spool, 1, LEAVE, down("wrong"))
    spool.decide(queue(spool)[0].traces, "fixed")
    assert [one.state for one in queue(spool)] == ["fixed"]
    asked(spool, 2, LEAVE, down("wrong"))
    assert [(one.state, len(one.traces)) for one in queue(spool)] == [("new", 2)]


def test_what_is_said_after_a_decision_makes_it_new(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db")
    trace_id = asked(spool, 1, LEAVE, down())
    spool.decide([trace_id], "wontfix")
    assert [one.state for one in queue(spool)] == ["wontfix"]
    # The same again is nothing new.
    assert not spool.add_feedback(replace(down(), trace_id=trace_id))
    assert [one.state for one in queue(spool)] == ["wontfix"]
    spool.add_feedback(replace(down("outdated", correction="31 days."), trace_id=trace_id))
    (found,) = queue(spool)
    assert (found.state, found.kind, found.correction) == ("new", "outdated", "31 days.")


def test_of_several_corrections_the_one_that_was_changed_last_counts(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db")
    trace_id = asked(spool, 1, LEAVE, down(correction="28 days."))
    spool.add_feedback(replace(down(correction="30 days."), trace_id=trace_id, user="ben"))
    assert [one.correction for one in queue(spool)] == ["30 days."]
    spool.add_feedback(replace(down(correction="31 days."), trace_id=trace_id))
    assert [one.correction for one in queue(spool)] == ["31 days."]
    assert case_of(spool.trace(trace_id), spool.feedback(trace_id)).expected == "31 days."
    # When they first spoke is kept: the server knows what they said by that.
    ben, first = spool.feedback(trace_id)
    assert first.created_at < ben.created_at < first.changed_at


def test_what_was_decided_takes_no_place_of_what_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.triage.MOST", 2)
    spool = Spool(tmp_path / "traces.db")
    asked(spool, 1, LEAVE, down())
    asked(spool, 2, "Where is the printer room?", down())
    for number in range(3, 6):
        spool.decide([asked(spool, number, f"What is rule {number}?", down())], "fixed")
    assert [(one.question, one.state) for one in queue(spool) if one.state == "new"] == [
        ("Where is the printer room?", "new"),
        (LEAVE, "new"),
    ]
    assert (len(queue(spool)), left_out(spool)) == (4, 0)
    latest = asked(spool, 6, "Who signs a travel claim?", None, share=0.5)
    assert left_out(spool) == 1
    assert left_out(spool, since=2.0) == 0
    spool.decide([latest], "wontfix")
    assert left_out(spool) == 0
    # What is said later counts again, however old the answer is.
    spool.add_feedback(Feedback(trace_id=latest, up=False))
    assert left_out(spool) == 1


def test_any_fault_is_a_complaint_and_what_evals_ask_is_none(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db")
    asked(spool, 1, LEAVE, Feedback(trace_id="", correction="31 days."))
    asked(spool, 2, "Where is the printer room?", Feedback(trace_id="", citations={1: False}))
    asked(spool, 3, "Is there coffee?", Feedback(trace_id="", comment="thanks"))
    facts = {"supported_share": 0.2, "session_id": "eval:1"}
    spool.add_trace(ask_trace(f"{4:032x}", input="What does the anchor weigh?", attributes=facts))
    assert sorted(one.question for one in queue(spool)) == [LEAVE, "Where is the printer room?"]


def test_what_a_visitor_may_not_read_is_no_part_of_their_queue(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db")
    asked(spool, 1, LEAVE, down("wrong", comment="open to all"))
    hidden = Step(
        id="1" * 16,
        parent_id=None,
        name="retrieve",
        kind="retriever",
        started_at=2,
        ended_at=3,
        attributes={"hits": [{"readers": ["group:board"], "text": "secret"}]},
    )
    spool.add_trace(ask_trace(f"{2:032x}", started_at=2.0, input=LEAVE, attributes={}, steps=(hidden,)))
    spool.add_feedback(replace(down("wrong", correction="31 days for the board"), trace_id=f"{2:032x}"))
    (shown,) = waiting(spool, embed=EMBED, scope=PUBLIC)
    assert (shown.traces, shown.correction, shown.comments) == ((f"{1:032x}",), "", ("open to all",))
    (board,) = waiting(spool, embed=EMBED, scope=Scope(groups=("board",)))
    assert len(board.traces) == 2


def test_questions_are_grouped_by_meaning_the_largest_group_first() -> None:
    questions = ["Where is the printer?", LEAVE, f"{LEAVE} Please.", "days of leave: how many do I have"]
    assert [topic.places for topic in topics(questions, embed=EMBED)] == [(1, 2, 3), (0,)]
    assert topics([], embed=EMBED) == []
