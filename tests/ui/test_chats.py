"""The file of conversations: whose they are, what it keeps of them and how long, and many who write at once."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import StoreError
from rag.sections import Tracing
from rag.types import Answer, Chunk, Citation, Claim, Hit, Passage, Usage, Verdict
from ui.chats import NAME_CHARS, Chats, shortened
from ui.earlier import group
from ui.exchange import Exchange, decode, encode

RULES = Tracing()
ADA, BOB = "user:ada", "user:bob"


def asked(identifier: str, question: str = "How much leave?") -> Exchange:
    return Exchange(id=identifier, question=question)


def answered(
    identifier: str, text: str = "It is 30 days [1].", *, readers: tuple[str, ...] = ("everyone",)
) -> Exchange:
    chunk = Chunk(
        id="c1",
        uri="docs/leave.txt",
        title="Leave",
        headings=("Annual",),
        page=2,
        position=0,
        text=text,
        revision="r1",
        boxes=((1.0, 2.0, 3.0, 4.0),),
        readers=readers,
        fields={"team": "people", "year": 2026, "tags": ("a", "b")},
    )
    hit = Hit(chunk=chunk, score=0.5, scores={"dense": 0.5}, ranks={"dense": 1})
    answer = Answer(
        question="How much leave?",
        text=text,
        abstention="",
        citations=(Citation(marker=1, uri=chunk.uri, page=2, headings=("Annual",), quote=text, supported=True),),
        verdict=Verdict(claims=(Claim(text=text, markers=(1,), support="supported", score=1.0, reason=""),)),
        passages=(Passage(marker=1, text=text, hit=hit),),
        hits=(hit,) * 20,
        usage=Usage(prompt=10, completion=5),
        cost=None,
        models={"answer": "scripted:quote"},
        trace_id="ab" * 16,
        timings_ms={"total": 12.5},
    )
    return Exchange(id=identifier, question="How much leave?", state="answered", answer=answer)


@pytest.fixture
def chats(tmp_path: Path) -> Chats:
    return Chats(tmp_path / "new" / "chats.db", RULES)


def test_a_conversation_comes_back_as_it_was_drawn(chats: Chats) -> None:
    chats.add(ADA, "one", asked("x"))
    chats.change(ADA, answered("x"))
    (found,) = chats.exchanges(ADA, "one")
    told, answer = answered("x").answer, found.answer
    assert told
    assert answer
    assert found.state == "answered"
    assert answer.readers == told.readers
    for part in ("text", "citations", "verdict", "passages", "usage", "models", "trace_id", "timings_ms", "query"):
        assert getattr(answer, part) == getattr(told, part)


def test_conversations_are_their_owners_alone(chats: Chats) -> None:
    chats.add(ADA, "one", asked("x"))
    assert chats.listed(BOB, limit=9) == []
    assert chats.exchanges(BOB, "one") == []
    chats.rename(BOB, "one", "mine")
    chats.delete(BOB, "one")
    chats.add(BOB, "one", asked("y"), instead_of=["x"])
    chats.change(BOB, answered("x"))
    (listed,) = chats.listed(ADA, limit=9)
    assert listed.name == "How much leave?"
    assert [(one.id, one.state) for one in chats.exchanges(ADA, "one")] == [("x", "stopped")]


def test_the_newest_is_first_and_a_name_can_be_given_and_taken_back(chats: Chats) -> None:
    chats.add(ADA, "one", asked("x", f"Why\n {'so ' * 50}?"))
    chats.add(ADA, "two", asked("y"))
    chats.add(ADA, "one", asked("z"))
    assert [one.id for one in chats.listed(ADA, limit=9)] == ["one", "two"]
    assert [one.id for one in chats.listed(ADA, limit=1)] == ["one"]
    first = chats.listed(ADA, limit=1)[0].name
    assert first.startswith("Why so so")
    assert len(first) <= NAME_CHARS
    chats.rename(ADA, "one", "  Holidays ")
    assert chats.listed(ADA, limit=1)[0].name == "Holidays"
    chats.rename(ADA, "one", "")
    assert chats.listed(ADA, limit=1)[0].name == first


def test_what_was_asked_in_place_of_others_is_all_that_stays(chats: Chats) -> None:
    for name in ("x", "y", "z"):
        chats.add(ADA, "one", asked(name))
    chats.add(ADA, "one", asked("new"), instead_of=["y", "z"])
    assert [one.id for one in chats.exchanges(ADA, "one")] == ["x", "new"]


def test_an_answer_does_not_bring_back_what_was_deleted_meanwhile(chats: Chats) -> None:
    chats.add(ADA, "one", asked("x"))
    chats.delete(ADA, "one")
    chats.change(ADA, answered("x"))
    assert chats.listed(ADA, limit=9) == []
    assert chats.exchanges(ADA, "one") == []


def test_a_question_without_an_end_was_stopped(chats: Chats) -> None:
    chats.add(ADA, "one", asked("x"))
    assert [one.state for one in chats.exchanges(ADA, "one")] == ["stopped"]


def test_what_a_model_wrote_before_it_was_stopped_is_not_kept(chats: Chats) -> None:
    chats.add(ADA, "one", asked("x"))
    chats.change(ADA, Exchange(id="x", question="How much leave?", state="stopped", text="The secret is"))
    assert chats.exchanges(ADA, "one")[0].text == ""
    assert b"The secret is" not in chats.path.read_bytes()


def test_masked_words_are_masked_before_they_touch_the_disk(tmp_path: Path) -> None:
    rules = Tracing(content="masked", patterns={"badge": "B-[0-9]{4}", "odd": "missing|answered"})
    chats = Chats(tmp_path / "chats.db", rules)
    chats.add(ADA, "one", asked("x", "Is ada@example.com with B-1234 on leave?"))
    chats.change(ADA, answered("x", "Ask ada@example.com [1]."))
    chats.rename(ADA, "one", "B-1234")
    (found,) = chats.exchanges(ADA, "one")
    assert found.answer
    assert found.answer.text == "Ask [mail] [1]."
    assert found.answer.passages[0].hit.chunk.text == "Ask [mail] [1]."
    assert found.answer.passages[0].hit.chunk.uri == "docs/leave.txt"
    assert chats.listed(ADA, limit=1)[0].name == "[badge]"
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"ada@example.com" not in raw
    assert b"B-1234" not in raw


def test_what_is_too_old_is_neither_shown_nor_kept(tmp_path: Path) -> None:
    chats = Chats(tmp_path / "chats.db", RULES)
    chats.add(ADA, "one", asked("x", "The oldest question"))
    time.sleep(0.05)
    chats.add(ADA, "one", asked("y", "The next question"))
    (_, changed_at) = (0, chats.listed(ADA, limit=1)[0].changed_at)
    days = (time.time() - changed_at + 0.02) / 86_400
    later = Chats(tmp_path / "chats.db", Tracing(keep_days=days))
    assert [one.id for one in later.exchanges(ADA, "one")] == ["y"]
    assert later.listed(ADA, limit=1)[0].name == "The next question"
    time.sleep(0.1)
    assert later.listed(ADA, limit=1) == []
    later.add(ADA, "two", asked("z"))
    assert chats.exchanges(ADA, "one") == []
    assert [one.id for one in chats.listed(ADA, limit=9)] == ["two"]


def test_of_a_file_that_is_too_large_the_oldest_go(tmp_path: Path) -> None:
    chats = Chats(tmp_path / "chats.db", Tracing(max_mb=1))
    for number in range(8):
        chats.add(ADA, str(number), asked(str(number), "long " * 60_000))
    kept = [one.id for one in chats.listed(ADA, limit=9)]
    assert kept[0] == "7"
    assert "0" not in kept


def _add_many(path: Path, worker: int) -> None:
    chats = Chats(path, RULES)
    for number in range(15):
        chats.add(ADA, "shared", asked(f"{worker}-{number}"))
        chats.change(ADA, answered(f"{worker}-{number}"))


def test_several_processes_write_one_conversation(tmp_path: Path) -> None:
    path = tmp_path / "chats.db"
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in [pool.submit(_add_many, path, worker) for worker in range(3)]:
            done.result()
    found = Chats(path, RULES).exchanges(ADA, "shared")
    assert len({one.id for one in found}) == 45
    assert {one.state for one in found} == {"answered"}
    for worker in range(3):
        own = [one.id for one in found if one.id.startswith(f"{worker}-")]
        assert own == [f"{worker}-{number}" for number in range(15)]


def test_a_file_of_another_version_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "chats.db"
    path.write_bytes(b"no database, " * 100)
    with pytest.raises(StoreError, match=r"chats\.db"):
        Chats(path, RULES).listed(ADA, limit=1)


@given(st.text())
def test_every_question_can_be_written_and_read(question: str) -> None:
    text = encode(Exchange(id="x", question=question, state="failed", problem=question), keep=lambda value: value)
    assert decode(text, identifier="x", question="").question == question
    assert len(shortened(question)) <= NAME_CHARS


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1}', "null"])
def test_what_can_not_be_read_says_so(text: str) -> None:
    found = decode(text, identifier="x", question="Why?")
    assert (found.id, found.question, found.state) == ("x", "Why?", "failed")
    assert "can't be shown" in found.problem


@pytest.mark.parametrize(
    ("day", "expected"), [(10, "Today"), (9, "Yesterday"), (4, "Last 7 days"), (3, "Older"), (11, "Today")]
)
def test_days_have_names(day: int, expected: str) -> None:
    at = datetime(2026, 6, day, 12, tzinfo=UTC).timestamp()
    assert group(at, today=date(2026, 6, 10)) == expected
