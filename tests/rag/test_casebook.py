"""A file of eval cases: lines that `plumb eval run` reads, and what was done to them."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from observed import STARTED_AT, TRACE_ID, ask_trace

from evals.dataset import load_dataset
from rag.case import Case, Passage, Then, case_line
from rag.case_history import changes, version_of
from rag.casebook import drop_cases, put_cases
from rag.errors import InputError, StoreError
from rag.retell import case_of, sources_of
from rag.types import Feedback, Turn

CASE = Case(id="a", question="How many\u2028days?", facts=(("30 days", "thirty"),), sources=("leave.md",))
FULL = replace(
    CASE,
    id="b \u00fc",
    history=(Turn(question="Leave?", answer="Yes.", readers=(("group:x",),)),),
    expected="30 days.",
    evidence=("30 days",),
    tags=("feedback", "wrong"),
    split="dev",
    conversation="s1",
    weight=2.5,
    origin="feedback",
    confirmed=False,
    then=Then(trace_id=TRACE_ID, asked_at=1.5, answer="31", passages=(Passage(uri="a", text="b\nc"),), models=("m@1",)),
)


def test_what_is_written_is_read_and_what_is_usual_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    put_cases(file, [Case(id="moon", question="Who painted it?", answerable=False), CASE, FULL], did="add")
    moon, plain, full = load_dataset(file).cases
    assert (moon.answerable, plain) == (False, CASE)
    # Who may read an earlier answer is no part of a case.
    assert full == replace(FULL, history=(Turn(question="Leave?", answer="Yes."),))
    assert case_line(full) == case_line(FULL)
    first = file.read_text().splitlines()[0]
    assert first == '{"id": "moon", "question": "Who painted it?", "answerable": false}'


def test_a_case_takes_the_place_of_its_id_and_other_lines_stay(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    own = '{"id":"mine",  "question": "Q?", "sources": ["a.md"]}'
    file.write_text(f"{own}\n\n")
    put_cases(file, [CASE], did="add")
    put_cases(file, [replace(CASE, question="How many days?")], did="confirm")
    assert file.read_text().splitlines()[0] == own
    assert [case.question for case in load_dataset(file).cases] == ["Q?", "How many days?"]
    drop_cases(file, ["mine"], did="drop")
    assert [case.id for case in load_dataset(file).cases] == ["a"]


def test_every_change_is_noted_with_the_version_before_and_after(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    put_cases(file, [CASE, FULL], did="add")
    first = version_of(file)
    drop_cases(file, ["a"], did="drop")
    one, other = changes(file)
    assert (one.did, one.ids, one.before, one.after) == ("add", ("a", FULL.id), "", first)
    assert (other.did, other.ids, other.before, other.after) == ("drop", ("a",), first, version_of(file))
    assert load_dataset(file).sha256 == other.after
    assert one.at.endswith("+00:00")
    (tmp_path / "cases.history.jsonl").write_text("nonsense\n")
    with pytest.raises(StoreError, match=r"cases\.history\.jsonl has an entry that can't be read"):
        changes(file)


def test_a_line_that_breaks_off_costs_no_other(tmp_path: Path) -> None:
    file, history = tmp_path / "cases.jsonl", tmp_path / "cases.history.jsonl"
    put_cases(file, [CASE, FULL], did="ädd")
    whole = history.read_bytes()
    for end in (len(whole) - 1, whole.index("ä".encode()) + 1, 1):
        history.write_bytes(whole + whole[:end])
        before = [one.did for one in changes(file)]
        put_cases(file, [CASE], did="confirm")
        # All but the line end is a whole line.
        assert [one.did for one in changes(file)] == [*before, "confirm"]
        assert before == ["ädd"] * (2 if end == len(whole) - 1 else 1)


def test_many_at_once_lose_none(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "cases.jsonl"
    made = [replace(CASE, id=str(number)) for number in range(20)]
    threads = [threading.Thread(target=put_cases, args=(file, [case]), kwargs={"did": "add"}) for case in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load_dataset(file).cases) == len(changes(file)) == 20


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (Case(id="x", question=" ", facts=(("a",),)), "without a question"),
        (Case(id="x", question="Q?"), "expected facts, sources, evidence or an expected answer"),
        (replace(CASE, answerable=False), "expected no facts"),
    ],
)
def test_what_can_not_be_a_case_is_refused_and_nothing_is_written(tmp_path: Path, case: Case, said: str) -> None:
    with pytest.raises(InputError, match=said):
        put_cases(tmp_path / "cases.jsonl", [CASE, case], did="add")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        put_cases(tmp_path / "folder", [CASE], did="add")


def test_an_answer_is_told_with_what_people_said_of_it(tmp_path: Path) -> None:
    history = [{"question": "Is there leave?", "answer": "Yes [1]."}, {"question": "", "answer": "x"}]
    trace = ask_trace()
    trace = replace(trace, attributes={**trace.attributes, "history": history})
    said = [
        Feedback(trace_id=TRACE_ID, up=False, reasons=("outdated",), correction="31 days", citations={1: True}),
        Feedback(trace_id=TRACE_ID, user="b", up=False, reasons=("outdated", "wrong"), correction=" 32 days "),
    ]
    case = case_of(trace, said)
    assert (case.id, case.question, case.history) == (
        f"trace-{TRACE_ID[:16]}",
        "How many days of leave?",
        (Turn(question="Is there leave?", answer="Yes [1]."),),
    )
    assert (case.expected, case.sources, case.evidence) == ("32 days", ("leave.md",), ("30 days",))
    assert (case.tags, case.split, case.origin, case.confirmed) == (
        ("feedback", "outdated", "wrong"),
        "dev",
        "feedback",
        False,
    )
    assert case.conversation == "session-7"
    then = case.then
    assert then
    assert (then.trace_id, then.asked_at, then.answer) == (TRACE_ID, STARTED_AT, trace.output)
    assert (then.index_version, then.prompts, then.models) == (
        "plumbline",
        ("answer@langfuse-3",),
        ("qwen2.5-coder-1.5b-q4",),
    )
    assert (len(then.passages), then.passages[0].uri) == (8, "handbook/leave-0.md")
    put_cases(tmp_path / "cases.jsonl", [case], did="add")
    assert load_dataset(tmp_path / "cases.jsonl").cases == (case,)


def test_citations_that_as_many_find_bad_are_no_sources() -> None:
    said = [Feedback(trace_id=TRACE_ID, user=user, citations={1: up}) for user, up in (("a", True), ("b", False))]
    case = case_of(ask_trace(), said)
    assert (case.sources, case.evidence, case.expected, case.expects) == ((), (), "", False)


def test_sources_are_the_documents_that_were_found() -> None:
    assert len(sources_of(ask_trace())) == len(set(sources_of(ask_trace()))) > 0
