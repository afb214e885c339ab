"""Answers given again: only to the same question of the same person, while all they rest on is as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hand_clock import Clock

from ingest.pipeline import ingest
from rag.cache import AnswerCache
from rag.embed import Embedder, Matrix
from rag.engine import Engine
from rag.errors import ModelError
from rag.index import open_index
from rag.scope import condition
from rag.settings import Settings, load_settings
from rag.store.edge import EdgeStore
from rag.types import PUBLIC, Answer, Feedback, Scope, Turn, Usage

ASKED = "How many working days of annual leave do full-time employees have?"
SAME = "could you tell me how many working days of annual leave do full-time employees have"
CACHE = "\n[cache]\nenabled = true\n"


@pytest.fixture
def settings(filled: Path) -> Settings:
    config = filled / "plumbline.toml"
    config.write_text(config.read_text() + CACHE)
    return load_settings(config)


@pytest.fixture
def engine(settings: Settings) -> Engine:
    return Engine.from_settings(settings)


def fill(settings: Settings) -> None:
    list(ingest([settings.root / "docs"], settings=settings))


def test_the_same_question_is_answered_without_a_model(engine: Engine) -> None:
    first = engine.ask(ASKED)
    assert (first.abstained, first.verdict.supported, first.given_before) == (False, True, "")
    again = engine.ask(SAME)
    assert again.given_before == first.trace_id != again.trace_id
    assert (again.question, again.text) == (SAME, first.text)
    assert (again.citations, again.verdict, again.passages) == (first.citations, first.verdict, first.passages)
    assert (again.usage, again.cost) == (Usage(), 0.0)
    trace = engine.spool.trace(again.trace_id)
    assert trace.attributes["given_before"] == first.trace_id
    assert [step.name for step in trace.steps] == ["cache"]
    # What it rests on need not be among the hits, and decides on who may see it all the same.
    rests_on = [hit["chunk_id"] for hit in trace.steps[0].attributes["hits"]]
    assert rests_on == [passage.hit.chunk.id for passage in first.passages]
    assert replace(again, hits=()).readers == (("everyone",),)
    assert engine.ask(SAME).given_before == first.trace_id


@pytest.mark.parametrize(
    "other",
    [
        ASKED.replace("annual", "parental"),
        ASKED.replace("full-time", "part-time"),
        ASKED.replace("do full", "don't full"),
        ASKED.replace("days", "hours"),
    ],
)
def test_one_word_makes_another_question(engine: Engine, other: str) -> None:
    engine.ask(ASKED)
    assert engine.ask(other).given_before == ""


def test_nobody_gets_what_was_answered_to_others(engine: Engine) -> None:
    engine.ask(ASKED)
    ada = Scope(user="ada", groups=("people", "legal"))
    others = (ada, Scope(where=(condition("path=docs"),)))
    assert [engine.ask(ASKED, scope=scope).given_before for scope in others] == ["", ""]
    again = engine.ask(ASKED, scope=Scope(user="ada", groups=("legal", "people")))
    assert again.given_before != ""
    assert engine.ask(ASKED, scope=Scope(user="ada")).given_before == ""


def test_a_follow_up_is_neither_kept_nor_given(engine: Engine) -> None:
    history = [Turn(question="Who has leave?", answer="Everybody.")]
    engine.ask(ASKED, history=history)
    first = engine.ask(ASKED)
    assert first.given_before == ""
    assert engine.ask(ASKED, history=history).given_before == ""


def _changed_passage(settings: Settings) -> None:
    file = settings.root / "docs" / "hr" / "leave.md"
    file.write_text(file.read_text().replace("30 working days", "31 working days"))
    fill(settings)


def _new_document(settings: Settings) -> None:
    (settings.root / "docs" / "new.md").write_text(f"# Annual leave from now on\n\n{ASKED} They have 33.\n")
    fill(settings)


def _withdrawn(settings: Settings) -> None:
    (settings.root / "docs" / "hr" / "folder.meta.toml").write_text('readers = ["group:people"]\n')
    fill(settings)


def _removed(settings: Settings) -> None:
    (settings.root / "docs" / "hr" / "leave.md").unlink()
    fill(settings)


@pytest.mark.parametrize("change", [_changed_passage, _new_document, _withdrawn, _removed])
def test_it_is_not_given_when_what_it_rests_on_changed(
    engine: Engine, settings: Settings, change: Callable[[Settings], None]
) -> None:
    first = engine.ask(ASKED)
    change(settings)
    again = engine.ask(ASKED)
    assert again.given_before == ""
    assert again.text != first.text or change is _new_document


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[cache]", '[generate]\nprompt = "answer-cited"\n[cache]'),
        ("[cache]", "[generate]\nmax_tokens = 50\n[cache]"),
        ("answer =", 'rewrite = "scripted:quote"\nanswer ='),
        ("[cache]", '[providers.own]\nbase_url = "http://127.0.0.1:1/v1"\n[cache]'),
        ("[cache]", "[llama_index]\nllm_args = { temperature = 1.0 }\n[cache]"),
        ("[cache]", '[candidates."scripted:quote"]\nbudget_tokens = 400\n[cache]'),
    ],
)
def test_it_is_not_given_with_another_prompt_setting_or_model(
    engine: Engine, settings: Settings, before: str, after: str
) -> None:
    engine.ask(ASKED)
    config = settings.root / "plumbline.toml"
    config.write_text(config.read_text().replace(before, after))
    assert Engine.from_settings(load_settings(config)).ask(ASKED).given_before == ""


def test_nothing_is_asked_of_a_model_to_search_for_it(settings: Settings) -> None:
    roles = settings.roles.model_copy(update={"rewrite": "scripted:quote"})
    retrieve = settings.retrieve.model_copy(update={"expand": "parts"})
    engine = Engine.from_settings(settings.model_copy(update={"roles": roles, "retrieve": retrieve}))
    first, again = engine.ask(ASKED), engine.ask(SAME)
    assert again.given_before == first.trace_id
    assert (again.usage, again.cost) == (Usage(), 0.0)


def test_other_words_around_a_question_find_the_answer_among_many_documents(engine: Engine, settings: Settings) -> None:
    for number in range(60):
        (settings.root / "docs" / f"{number}.md").write_text(f"# Tell me {number}\n\nCould you please do {number}?\n")
    fill(settings)
    first = engine.ask(ASKED)
    assert engine.ask(f"Hello, could you please tell me: {ASKED}").given_before == first.trace_id


def test_what_is_rated_down_is_not_given_again(engine: Engine) -> None:
    engine.ask(ASKED)
    engine.rate(Feedback(trace_id=engine.ask(ASKED).trace_id, up=True))
    again = engine.ask(ASKED)
    assert again.given_before
    engine.rate(Feedback(trace_id=again.trace_id, up=False))
    new = engine.ask(ASKED)
    assert new.given_before == ""
    engine.rate(Feedback(trace_id=new.trace_id, up=False))
    assert engine.ask(ASKED).given_before == ""


@pytest.fixture
def answer(filled: Path) -> Answer:
    """One that was not kept."""
    return Engine.from_settings(load_settings(filled / "plumbline.toml")).ask(ASKED)


@pytest.fixture
def cache(settings: Settings, clock: Clock) -> AnswerCache:
    few = settings.model_copy(update={"cache": settings.cache.model_copy(update={"max_answers": 3, "max_age_h": 1})})
    return AnswerCache(few, open_index(settings), (), clock=clock)


def test_an_old_answer_is_not_given_again(answer: Answer, cache: AnswerCache, clock: Clock) -> None:
    cache.keep(answer, PUBLIC, found=answer.hits)
    assert cache.find(ASKED, PUBLIC, search=lambda _: answer.hits) is not None
    clock.now += 3600
    assert cache.find(ASKED, PUBLIC, search=lambda _: answer.hits) is None
    clock.now -= 3600
    assert cache.find(ASKED, PUBLIC, search=lambda _: answer.hits) is None


def test_the_oldest_go_when_there_are_too_many(answer: Answer, cache: AnswerCache, clock: Clock) -> None:
    for number in range(5):
        clock.now += 1
        cache.keep(replace(answer, question=f"{ASKED} {number}", trace_id=f"t{number}"), PUBLIC, found=answer.hits)
    given = [cache.find(f"{ASKED} {number}", PUBLIC, search=lambda _: answer.hits) for number in range(5)]
    assert [bool(one) for one in given] == [False, False, True, True, True]


def test_only_supported_answers_are_kept(answer: Answer, cache: AnswerCache) -> None:
    doubtful = replace(answer.verdict.claims[0], support="partly")
    for other in (
        replace(answer, abstention="missing"),
        replace(answer, verdict=replace(answer.verdict, claims=(*answer.verdict.claims, doubtful))),
    ):
        cache.keep(other, PUBLIC, found=answer.hits)
        assert cache.find(ASKED, PUBLIC, search=lambda _: answer.hits) is None


class Unreachable:
    """The embedder of an index whose server is down."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dimension, self.max_tokens = embedder.name, embedder.dimension, embedder.max_tokens
        self.count = embedder.count

    def embed(self, texts: Sequence[str]) -> Matrix:
        raise ModelError(f"{len(texts)} texts were not embedded", retryable=True)


def test_an_embedder_that_fails_costs_no_answer(
    answer: Answer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    index = open_index(settings)
    cache = AnswerCache(settings, replace(index, embedder=Unreachable(index.embedder)), ())
    cache.keep(answer, PUBLIC, found=answer.hits)
    assert cache.find(ASKED, PUBLIC, search=lambda _: answer.hits) is None
    assert "an answer was not kept" in caplog.text


def test_a_store_that_fails_costs_no_answer(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    first: Answer = engine.ask(ASKED)
    (answers,) = (settings.data_path / "index" / "plumbline").glob("answers-*/store")
    identity = answers / "plumbline.json"
    EdgeStore(answers, embedder="x", dimension=1, lock_timeout_s=5).close()
    cache = engine._cache()
    assert cache is not None
    cache.close()
    identity.write_text("{}")
    again = engine.ask(ASKED)
    assert (again.text, again.given_before) == (first.text, "")
    assert "no answer was looked for" in caplog.text


def test_nothing_is_kept_where_it_is_not_wanted(filled: Path) -> None:
    settings = load_settings(filled / "plumbline.toml")
    engine = Engine.from_settings(settings)
    assert [engine.ask(ASKED).given_before for _ in range(2)] == ["", ""]
    assert not list((settings.data_path / "index" / "plumbline").glob("answers-*"))
