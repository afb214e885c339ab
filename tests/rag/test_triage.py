"""Bad answers as a queue: kinds by frequency, the same complaint once, and what was decided on it."""

from __future__ import annotations

from pathlib import Path

from observed import ask_trace

from rag.embed.scripted import ScriptedEmbedder
from rag.observe.filter import Filter
from rag.observe.spool import Spool
from rag.topics import topics
from rag.triage import Complaint, complaints
from rag.types import Feedback, Reason

LEAVE = "How many days of leave do I have?"
EMBED = ScriptedEmbedder("scripted:words").embed


def asked(spool: Spool, number: int, question: str, said: Feedback | None, share: float = 1.0) -> str:
    trace_id = f"{number:032x}"
    spool.add_trace(
        ask_trace(trace_id, started_at=float(number), input=question, attributes={"supported_share": share})
    )
    if said:
        spool.add_feedback(Feedback(**{**said_of(said), "trace_id": trace_id}))
    return trace_id


def said_of(said: Feedback) -> dict[str, object]:
    return {"up": said.up, "reasons": said.reasons, "comment": said.comment, "correction": said.correction}


def queue(spool: Spool) -> list[Complaint]:
    rows = [
        row for row in spool.traces(Filter(name="ask"), limit=99) if row.rating is False or row.supported_share != 1
    ]
    said = {row.id: spool.feedback(row.id) for row in rows}
    return complaints(rows, said=said, states=spool.decided(), embed=EMBED)


def down(*reasons: Reason, comment: str = "", correction: str = "") -> Feedback:
    return Feedback(trace_id="", up=False, reasons=reasons, comment=comment, correction=correction)


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
    assert (found[0].question, found[0].traces) == (LEAVE, (latest, first))
    assert (found[0].comments, found[0].correction) == (("still old", "it is 30 now"), "30 days.")


def test_what_is_decided_holds_until_it_happens_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db")
    asked(spool, 1, LEAVE, down("wrong"))
    spool.decide(queue(spool)[0].traces, "fixed")
    assert [one.state for one in queue(spool)] == ["fixed"]
    asked(spool, 2, LEAVE, down("wrong"))
    assert [(one.state, len(one.traces)) for one in queue(spool)] == [("new", 2)]


def test_questions_are_grouped_by_meaning_the_largest_group_first() -> None:
    questions = ["Where is the printer?", LEAVE, f"{LEAVE} Please.", "days of leave: how many do I have"]
    assert [topic.places for topic in topics(questions, embed=EMBED)] == [(1, 2, 3), (0,)]
    assert topics([], embed=EMBED) == []
