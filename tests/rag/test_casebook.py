"""An answer made an eval case: a line that `plumb eval run` reads."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from observed import TRACE_ID, ask_trace

from evals.dataset import load_dataset
from rag.casebook import NewCase, add_case, sources_of
from rag.errors import InputError, StoreError

ASKED = "How many\u2028days?"
CASE = NewCase(trace_id=TRACE_ID, question=ASKED, facts=("30 days",), sources=("leave.md",), tags=("wrong",))


def test_a_case_is_read_by_evals(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    add_case(file, CASE)
    add_case(file, NewCase(trace_id="f" * 32, question="Who painted the moon?"))
    first, second = load_dataset(file).cases
    assert (first.question, first.facts, first.sources) == (ASKED, (("30 days",),), ("leave.md",))
    assert (first.tags, first.split, second.answerable) == (("feedback", "wrong"), "dev", False)


def test_the_same_trace_makes_one_case_and_other_lines_stay(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    own = '{"id": "mine", "question": "Q?", "sources": ["a.md"]}'
    file.write_text(f"{own}\n\n")
    add_case(file, CASE)
    add_case(file, NewCase(trace_id=TRACE_ID, question="How many days?", facts=("31 days",)))
    assert file.read_text().splitlines()[0] == own
    assert [case.facts for case in load_dataset(file).cases] == [(), (("31 days",),)]


def test_many_at_once_lose_none(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "cases.jsonl"
    made = [NewCase(trace_id=f"{number:016x}{0:016x}", question="Q?", facts=("a",)) for number in range(20)]
    threads = [threading.Thread(target=add_case, args=(file, case)) for case in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load_dataset(file).cases) == 20


def test_what_can_not_be_a_case_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a question"):
        add_case(tmp_path / "cases.jsonl", NewCase(trace_id=TRACE_ID, question=" "))
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        add_case(tmp_path / "folder", CASE)


def test_sources_are_the_documents_that_were_found() -> None:
    assert len(sources_of(ask_trace())) == len(set(sources_of(ask_trace()))) > 0
