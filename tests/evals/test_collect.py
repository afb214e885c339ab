"""Complaints made cases: the same question once, no complaint twice, and what a person confirmed stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evals.cases import Told, found, held
from evals.collect import Complaints, collect, grouped
from rag.case import Case, wordings
from rag.casebook import put_cases
from rag.embed.lexical import Lexical
from rag.embed.scripted import ScriptedEmbedder
from rag.errors import InputError
from rag.observe.spool import Spool
from rag.types import Feedback, Trace, Turn

EMBED = ScriptedEmbedder("scripted:words").embed
TERMS = Lexical("english").terms
LEAVE = "How many days of leave do I have?"
PRINTER = "Where is the printer room?"
CITED = [{"marker": 1, "uri": "a.md", "quote": "28 days"}, {"marker": 2, "uri": "b.md", "quote": "30 days"}]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "traces.db")


def asked(spool: Spool, number: int, question: Any, said: Feedback | None = None, **facts: Any) -> str:
    """An answer, asked at that second, and what somebody says of it."""
    trace = Trace(
        id=f"{number:08x}" * 4,
        name="ask",
        started_at=float(number),
        ended_at=number + 0.5,
        status="ok",
        input=question,
        output=f"answer {number}",
        attributes={"supported_share": 1.0, "citations": CITED, **facts},
        steps=(),
    )
    spool.add_trace(trace)
    spool.add_feedback(replace(said or Feedback(trace_id="", up=False), trace_id=trace.id))
    return trace.id


def collected(spool: Spool, known: Sequence[Case] = ()) -> Complaints:
    return collect(spool, known, embed=EMBED, terms=TERMS)


def kept(spool: Spool, path: Path) -> tuple[Case, ...]:
    """Collect as the command does."""
    done = collected(spool, held(path))
    put_cases(path, [one.case for one in done.collected], did="collect")
    spool.decide(done.traces, "case")
    return held(path)


def test_what_somebody_adds_after_a_decision_is_collected(spool: Spool) -> None:
    trace_id = asked(spool, 1, LEAVE)
    spool.decide([trace_id], "wontfix")
    assert collected(spool).collected == ()
    said = Feedback(trace_id=trace_id, up=False, reasons=("outdated",), correction="31 days.")
    assert spool.add_feedback(said)
    (found,) = collected(spool).collected
    assert (found.case.expected, found.case.tags) == ("31 days.", ("feedback", "outdated"))
    spool.decide([trace_id], "wontfix")
    assert not spool.add_feedback(said)
    assert collected(spool).collected == ()


def test_what_is_too_much_at_once_is_told_and_comes_next(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.triage.MOST", 2)
    first = asked(spool, 1, LEAVE)
    last = [asked(spool, number, f"What is rule {number}?") for number in (2, 3)]
    done = collected(spool)
    assert (set(done.traces), done.left_out) == ({*last}, 1)
    spool.decide(done.traces, "case")
    done = collected(spool)
    assert (done.traces, done.left_out) == ((first,), 0)


def test_the_same_question_is_one_case_with_the_latest_answer(spool: Spool) -> None:
    first = asked(spool, 1, LEAVE, Feedback(trace_id="", reasons=("outdated",), correction="30 days."))
    other = asked(spool, 2, PRINTER)
    last = asked(spool, 3, f"{LEAVE} Please.", Feedback(trace_id="", up=False, reasons=("wrong",)))
    done = collected(spool)
    assert set(done.traces) == {first, other, last}
    leave, printer = sorted((one.case for one in done.collected), key=lambda case: -case.weight)
    assert leave.then
    assert (leave.question, leave.then.answer, leave.weight) == (f"{LEAVE} Please.", "answer 3", 2)
    assert (leave.expected, leave.tags, leave.confirmed) == ("30 days.", ("feedback", "wrong", "outdated"), False)
    assert (printer.question, printer.weight, printer.expects) == (PRINTER, 1, False)
    [merged] = [one for one in done.collected if one.case == leave]
    assert (merged.traces, merged.questions, merged.is_new) == ((last, first), (LEAVE,), True)


def test_another_number_name_negation_or_conversation_is_another_question() -> None:
    questions = (
        "Who may carry over 5 days of annual leave into the next year?",
        "Who may carry over 7 days of annual leave into the next year?",
        "Who may not carry over 5 days of annual leave into the next year?",
        "Who may carry over 5 days of annual leave into the next year in Paris?",
        "who may carry over 5 days of annual leave into the next year",
    )
    cases = [Case(id=str(number), question=question) for number, question in enumerate(questions)]
    before = (Turn(question="Is  there leave?", answer="Yes."),)
    cases.append(replace(cases[0], id="5", history=before))
    cases.append(replace(cases[0], id="6", history=(Turn(question="is there leave?", answer="Sure."),)))
    groups = grouped(cases, embed=EMBED, terms=TERMS)
    assert [[case.id for case in group] for group in groups] == [["0", "4"], ["1"], ["2"], ["3"], ["5", "6"]]


def test_thumbs_of_citations_are_sources_and_of_several_one_is_enough(spool: Spool) -> None:
    asked(spool, 1, LEAVE, Feedback(trace_id="", up=False, citations={1: False, 2: True}))
    asked(spool, 2, PRINTER, Feedback(trace_id="", up=False, citations={1: True, 2: True}))
    asked(spool, 3, LEAVE, Feedback(trace_id="", up=False, citations={2: True}))
    leave, printer = sorted((one.case for one in collected(spool).collected), key=lambda case: -case.weight)
    assert (leave.sources, leave.evidence) == (("b.md",), ("30 days",))
    assert (printer.sources, printer.evidence, printer.tags) == (("a.md", "b.md"), (), ("feedback", "any"))


def test_no_complaint_is_taken_twice_and_a_new_one_counts_once_more(spool: Spool, tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    asked(spool, 1, LEAVE)
    (case,) = kept(spool, file)
    assert not collected(spool, held(file)).traces
    # As in a conversation of its own, it is answered again.
    asked(spool, 2, LEAVE, Feedback(trace_id="", up=False, correction="31 days."))
    (again,) = kept(spool, file)
    assert again.then
    assert (again.id, again.weight, again.expected, again.then.answer) == (case.id, 2, "31 days.", "answer 2")
    # Of an older answer somebody complains only now.
    asked(spool, 0, LEAVE, Feedback(trace_id="", up=False, citations={1: True}))
    (older,) = kept(spool, file)
    assert older.then
    assert (older.id, older.weight, older.then.answer, older.sources) == (case.id, 3, "answer 2", ("a.md",))
    # What was written down when the process died before the decision is not counted again.
    spool.decide([f"{2:08x}" * 4], "new")
    asked(spool, 3, PRINTER)
    assert [one.weight for one in kept(spool, file)] == [3, 1]


def test_what_a_person_confirmed_or_wrote_stays(spool: Spool, tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    own = Case(id="mine", question=LEAVE, facts=(("28",),), split="test")
    put_cases(file, [own], did="add")
    trace = asked(spool, 1, LEAVE, Feedback(trace_id="", up=False, reasons=("wrong",), correction="31 days."))
    (case,) = kept(spool, file)
    assert case.then
    assert replace(case, then=None) == replace(own, weight=2, tags=("feedback", "wrong"))
    assert (case.then.trace_id, case.origin, case.confirmed) == (trace, "hand", True)


def test_answers_that_people_corrected_differently_are_all_kept(spool: Spool, tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    trace = asked(spool, 1, LEAVE, Feedback(trace_id="", user="a", up=False, correction="30 days."))
    spool.add_feedback(Feedback(trace_id=trace, user="b", up=False, correction="31 days."))
    spool.add_feedback(Feedback(trace_id=trace, user="c", up=False, correction=" 31  Days "))
    (case,) = kept(spool, file)
    assert (case.expected, case.also) == ("31  Days", ("30 days.",))
    asked(spool, 2, LEAVE, Feedback(trace_id="", up=False, correction="28 days."))
    (again,) = kept(spool, file)
    assert (again.expected, again.also) == ("28 days.", ("31  Days", "30 days."))
    chosen = Told(expected="30 days.").applied(again)
    assert (chosen.expected, chosen.also, chosen.confirmed) == ("30 days.", ("28 days.", "31  Days"), True)
    assert Told(declined=True).applied(again).also == ("28 days.", "31  Days", "30 days.")
    put_cases(file, [chosen], did="confirm")
    asked(spool, 3, LEAVE, Feedback(trace_id="", up=False, correction="33 days."))
    (told,) = collected(spool, held(file)).collected
    assert (told.case.expected, told.case.also, told.set_aside) == (chosen.expected, chosen.also, ("33 days.",))


def test_the_latest_correction_is_the_one_that_was_given_last(spool: Spool, tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    earlier, later = (asked(spool, number, LEAVE) for number in (1, 2))
    spool.add_feedback(Feedback(trace_id=later, up=False, correction="28 days."))
    spool.add_feedback(Feedback(trace_id=earlier, up=False, correction="30 days."))
    (case,) = kept(spool, file)
    assert (case.expected, case.also) == ("30 days.", ("28 days.",))
    spool.add_feedback(Feedback(trace_id=earlier, user="b", up=False, correction="31 days."))
    (again,) = kept(spool, file)
    assert (again.expected, again.also) == ("31 days.", ("30 days.", "28 days."))
    assert again.then
    assert again.then.trace_id == later


def test_more_feedback_on_an_answer_leaves_what_a_person_made_of_it(spool: Spool, tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    trace = asked(spool, 1, LEAVE)
    (case,) = kept(spool, file)
    put_cases(file, [Told(question="What is the notice period?", facts=("3 months",)).applied(case)], did="confirm")
    spool.decide([trace], "new")
    spool.add_feedback(Feedback(trace_id=trace, user="b", up=False, reasons=("unsafe",)))
    (again,) = kept(spool, file)
    assert (again.question, again.facts, again.confirmed) == ("What is the notice period?", (("3 months",),), True)
    assert (again.weight, again.tags) == (1, ("feedback", "unsafe"))


def test_answers_without_texts_make_no_case_and_are_told(spool: Spool) -> None:
    asked(spool, 1, " ")
    asked(spool, 2, LEAVE)
    done = collected(spool)
    assert (len(done.collected), done.mute, len(done.traces)) == (1, 1, 1)


def test_what_a_person_says_is_right() -> None:
    case = Case(id="a", question="Q?", sources=("a.md",), confirmed=False, tags=("feedback",))
    assert Told(tags=("x",), split="dev").applied(case) == replace(case, tags=("feedback", "x"), split="dev")
    told = Told(question=" P? ", facts=("28| twenty-eight",)).applied(case)
    assert (told.question, told.facts, told.sources, told.confirmed) == (
        "P?",
        (("28", "twenty-eight"),),
        ("a.md",),
        True,
    )
    declined = Told(declined=True).applied(told)
    assert (declined.answerable, declined.expects, declined.confirmed) == (False, False, True)
    assert Told(expected="28 days").applied(declined).answerable
    with pytest.raises(InputError, match="one of both"):
        Told(declined=True, facts=("28",)).applied(case)
    with pytest.raises(InputError, match="expected words"):
        wordings(" | ")


def test_a_case_is_found_by_the_beginning_of_its_id_or_trace(tmp_path: Path) -> None:
    cases = [Case(id=name, question="Q?", sources=("a",)) for name in ("ab", "abc", "x")]
    assert found(cases, "ab", tmp_path).id == "ab"
    assert found(cases, "abc", tmp_path).id == "abc"
    made = Case(id="trace-0af7", question="Q?", sources=("a",))
    assert found([*cases, made], "0af", tmp_path) == made
    with pytest.raises(InputError, match=r"2 cases of .* begin with 'a'"):
        found(cases, "a", tmp_path)
    with pytest.raises(InputError, match="has no case 'y'"):
        found(cases, "y", tmp_path)
