"""What people say of answers: who may say what, kept for each person, delivered, changed and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from langfuse_server import PUBLIC_KEY, SECRET_KEY, FakeLangfuse, running
from observed import TRACE_ID, ask_trace

from rag.errors import InputError
from rag.feedback import rate
from rag.observe.filter import Filter
from rag.observe.ship import pull, ship
from rag.observe.spool import Spool, open_spool
from rag.sections import LangfuseServer, Tracing
from rag.settings import Settings
from rag.types import PUBLIC, Feedback, Scope, Step

ADA = Scope(user="ada", groups=("people",))
SAID = Feedback(trace_id=TRACE_ID, up=False, reasons=("outdated",), comment="old", correction="31 days.", created_at=5)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    found = Spool(tmp_path / "traces.db")
    found.add_trace(ask_trace(attributes={"citations": [{"marker": 1}, {"marker": 3}]}))
    return found


def restricted(spool: Spool) -> None:
    hits = Step(
        id="1" * 16,
        parent_id=None,
        name="retrieve",
        kind="retriever",
        started_at=1,
        ended_at=2,
        attributes={"hits": [{"readers": ["group:people"], "text": "secret"}]},
    )
    spool.add_trace(replace(ask_trace(), steps=(hits,)))


def say(spool: Spool, said: Feedback = SAID, *, scope: Scope = PUBLIC) -> None:
    rate(spool, said, scope, max_chars=100)


def test_each_person_has_one_say_of_their_own(spool: Spool) -> None:
    say(spool)
    say(spool, replace(SAID, trace_id=TRACE_ID[:8], up=True, user="mallory"), scope=ADA)
    say(spool, replace(SAID, reasons=(), citations={3: False}))
    hers, mine = spool.feedback(TRACE_ID)
    assert mine == replace(SAID, reasons=(), citations={3: False})
    assert (hers.user, hers.up, hers.created_at) == ("ada", True, 5)
    (row,) = spool.traces()
    assert (row.rating, row.comment) == (False, "old")


def test_what_is_said_beside_a_thumb_up_is_kept(spool: Spool) -> None:
    say(spool, replace(SAID, up=True))
    assert spool.feedback(TRACE_ID) == [replace(SAID, up=True)]
    assert [row.id for row in spool.traces(Filter(is_complaint=True))] == [TRACE_ID]


def test_what_is_taken_back_is_gone(spool: Spool) -> None:
    say(spool)
    say(spool, Feedback(trace_id=TRACE_ID))
    assert spool.feedback(TRACE_ID) == []
    assert spool.traces(Filter(rated="any")) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (replace(SAID, comment="x" * 101), "at most 100"),
        (replace(SAID, correction="x" * 101), "at most 100"),
        (replace(SAID, citations={2: True}), "one of 1, 3"),
        (replace(SAID, reasons=("ugly",)), "one of wrong, not-in-sources"),
        (replace(SAID, trace_id="f" * 32), "no trace"),
    ],
)
def test_what_can_not_be_said_is_refused(spool: Spool, said: Feedback, told: str) -> None:
    with pytest.raises(InputError, match=told):
        say(spool, said)
    assert spool.feedback(TRACE_ID) == []


def test_only_who_may_read_an_answer_may_rate_it(spool: Spool) -> None:
    restricted(spool)
    with pytest.raises(InputError, match="not yours to read"):
        say(spool)
    say(spool, scope=ADA)
    assert [said.user for said in spool.feedback(TRACE_ID)] == ["ada"]


def test_a_search_is_no_answer_to_be_rated(spool: Spool) -> None:
    spool.add_trace(ask_trace(name="search"))
    with pytest.raises(InputError, match="of 'search'"):
        say(spool)


@pytest.fixture
def fake() -> Iterator[FakeLangfuse]:
    with running() as found:
        yield found


@pytest.fixture
def settings(fake: FakeLangfuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", PUBLIC_KEY)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", SECRET_KEY)
    return Settings(root=tmp_path / "delivered", langfuse=LangfuseServer(host=fake.url, timeout_s=0.5))


def names(fake: FakeLangfuse) -> list[str]:
    return sorted(score["name"] for score in fake.kept_scores.values())


def test_the_server_forgets_what_is_taken_back(fake: FakeLangfuse, settings: Settings) -> None:
    spool = open_spool(settings)
    spool.add_trace(ask_trace())
    say(spool)
    ship(spool, settings)
    assert names(fake) == ["output", "user-feedback", "user-feedback-reason"]
    say(spool, replace(SAID, reasons=("wrong", "unsafe"), correction=""))
    fake.behaviour = 503
    ship(spool, settings)
    fake.behaviour = "ok"
    ship(spool, settings)
    assert [score["value"] for score in fake.kept_scores.values()] == [0.0, "wrong", "unsafe"]
    say(spool, Feedback(trace_id=TRACE_ID))
    ship(spool, settings)
    assert names(fake) == []
    assert spool.waiting("langfuse") == 0
    deleted = len(fake.deleted)
    say(spool, Feedback(trace_id=TRACE_ID))
    ship(spool, settings)
    assert len(fake.deleted) == deleted


def test_a_score_that_the_server_lost_is_forgotten_too(fake: FakeLangfuse, settings: Settings) -> None:
    spool = open_spool(settings)
    spool.add_trace(ask_trace())
    say(spool)
    ship(spool, settings)
    fake.kept_scores.clear()
    say(spool, Feedback(trace_id=TRACE_ID))
    assert ship(spool, settings)[0].refused == 0
    assert spool.waiting("langfuse") == 0


def test_masked_annotations_settle(fake: FakeLangfuse, settings: Settings) -> None:
    spool = Spool(settings.data_path / "traces.db", rules=Tracing(content="masked"))
    spool.add_trace(ask_trace())
    fake.annotations = [annotation("tone", "TEXT", "ask ada@kellmouth.example")]
    assert [pull(spool, settings) for _ in range(3)] == [1, 0, 0]
    (said,) = spool.feedback(TRACE_ID)
    assert said.comment == "ask [mail]"


def test_texts_about_restricted_passages_stay_here(fake: FakeLangfuse, settings: Settings) -> None:
    spool = open_spool(settings)
    restricted(spool)
    say(spool, scope=ADA)
    ship(spool, settings)
    assert names(fake) == ["user-feedback", "user-feedback-reason"]
    assert not any("old" in str(score) for score in fake.scores)


def annotation(name: str, kind: str, value: object, **others: object) -> dict[str, object]:
    at = "2026-11-20T10:00:00Z"
    return {
        "id": f"{name}-{value}",
        "projectId": "p",
        "name": name,
        "dataType": kind,
        "value": value,
        "source": "ANNOTATION",
        "environment": "default",
        "timestamp": at,
        "createdAt": at,
        "updatedAt": at,
        "authorUserId": "u1",
        "subject": {"kind": "trace", "id": TRACE_ID},
        **others,
    }


def test_what_is_annotated_in_langfuse_is_read_back_and_not_sent_again(fake: FakeLangfuse, settings: Settings) -> None:
    spool = open_spool(settings)
    spool.add_trace(ask_trace())
    say(spool)
    fake.annotations = [
        annotation("user-feedback", "BOOLEAN", False, comment="no"),
        annotation("user-feedback-reason", "CATEGORICAL", "wrong"),
        annotation("output", "CORRECTION", "31 days."),
        annotation("tone", "NUMERIC", 0.5),
        annotation("citation-1", "BOOLEAN", True, subject={"kind": "observation", "id": "a" * 16, "traceId": TRACE_ID}),
        annotation("user-feedback", "BOOLEAN", True, subject={"kind": "trace", "id": "f" * 32}),
    ]
    assert pull(spool, settings) == 1
    mine, theirs = sorted(spool.feedback(TRACE_ID), key=lambda said: said.user)
    assert mine == SAID
    assert (theirs.user, theirs.up, theirs.reasons, theirs.citations) == ("langfuse:u1", False, ("wrong",), {1: True})
    assert (theirs.correction, theirs.comment) == ("31 days.", "tone: 0.5\nno")
    assert pull(spool, settings) == 0
    fake.annotations = [annotation("output", "CORRECTION", "32 days.")]
    assert pull(spool, settings) == 1
    _, theirs = sorted(spool.feedback(TRACE_ID), key=lambda said: said.user)
    assert (theirs.up, theirs.reasons, theirs.correction) == (False, ("wrong",), "32 days.")
    ship(spool, settings)
    assert all("u1" not in str(score) for score in fake.scores)


def test_what_is_done_with_a_citation_is_noted_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db")
    spool.add_trace(ask_trace())
    for citation in (1, 2, 1):
        spool.add_signal(TRACE_ID, "opened", citation=citation)
    for _ in range(2):
        spool.add_signal(TRACE_ID, "copied")
    assert spool.signals(TRACE_ID) == ["opened", "opened", "copied", "copied"]
    assert spool.feedback(TRACE_ID) == []
    assert spool.traces(Filter(rated="any")) == []
