"""Many threads ask one engine: each gets its own answer, while documents are replaced and streams are left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from evals.bench.quoting_server import quoting_server
from evals.dataset import load_dataset
from ingest.pipeline import ingest
from rag.engine import Delta, Engine
from rag.fence import quoted
from rag.settings import Settings, load_settings
from rag.types import Answer, Trace, Turn
from rag.versions import Recipe, Versions

EXAMPLES = Path(__file__).parents[2] / "examples"
THREADS = 32
CONFIG = """
[roles]
answer = "quoting:quote"
embed = "scripted:words"

[generate]
prompt = "answer-cited"
answerable_at = 0

[providers.quoting]
base_url = "{url}"

[candidates."quoting:quote"]
max_concurrent = 8
"""
T = TypeVar("T")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a chat server that quotes the passages it is sent."""
    with quoting_server(delay_s=0.02) as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, server: str) -> Settings:
    """A project whose model is hosted, with one place for every four threads."""
    config = tmp_path / "plumbline.toml"
    config.write_text(CONFIG.format(url=server))
    return load_settings(config)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """An engine over the handbook's pages about working here."""
    list(ingest([EXAMPLES / "handbook" / "hr"], settings=settings))
    made = Engine.from_settings(settings)
    yield made
    made.searcher.opened.store.close()


@pytest.fixture(scope="module")
def questions() -> list[str]:
    """A question for each thread."""
    return [case.question for case in load_dataset(EXAMPLES / "questions.jsonl").cases][:THREADS]


def at_once(work: Callable[[int], T]) -> list[T]:
    """What each thread came to, all of them begun at the same moment."""
    ready = threading.Barrier(THREADS)

    def begin(number: int) -> T:
        ready.wait(30)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def streamed(engine: Engine, question: str, *, session: str, history: Sequence[Turn] = ()) -> tuple[str, Answer]:
    """What was shown while it was written, and the answer."""
    *events, answer = engine.stream(question, session_id=session, history=history)
    assert isinstance(answer, Answer)
    return "".join(event.text for event in events if isinstance(event, Delta)), answer


def essence(answer: Answer) -> tuple[Any, ...]:
    """What of an answer is the same whenever its question is asked."""
    hits = [(hit.chunk.id, hit.score) for hit in answer.hits]
    return answer.question, answer.text, answer.citations, answer.verdict, answer.passages, hits, answer.usage


def prompt_of(trace: Trace) -> str:
    """What the model was sent for a trace."""
    (call,) = (step for step in trace.steps if step.name == "generate")
    return str(call.attributes["messages"][-1]["content"])


def test_answers_traces_and_sessions_are_not_mixed(engine: Engine, questions: list[str]) -> None:
    histories = [[Turn(question=f"Topic {n}?", answer=f"Earlier answer {n}.")] * (n % 2) for n in range(THREADS)]
    alone = [streamed(engine, questions[n], session="alone", history=histories[n]) for n in range(THREADS)]
    assert len({answer.text for _, answer in alone}) > THREADS / 2

    def work(n: int) -> tuple[str, Answer]:
        return streamed(engine, questions[n], session=f"session {n}", history=histories[n])

    for n, (shown, answer) in enumerate(at_once(work)):
        assert (shown, essence(answer)) == (alone[n][0], essence(alone[n][1]))
        trace = engine.spool.trace(answer.trace_id)
        assert (trace.status, trace.input, trace.output) == ("ok", questions[n], answer.text)
        assert trace.attributes["session_id"] == f"session {n}"
        sent = prompt_of(trace)
        assert questions[n] in sent
        assert all(quoted(passage.text) in sent for passage in answer.passages)
        assert [m for m in range(THREADS) if f"Earlier answer {m}." in sent] == ([n] if n % 2 else [])


def test_streams_that_are_left_disturb_no_other(engine: Engine, questions: list[str]) -> None:
    alone = [engine.ask(question) for question in questions]

    def work(n: int) -> Answer | None:
        if n % 2:
            return engine.ask(questions[n])
        with closing(engine.stream(questions[n], session_id=f"left {n}")) as events:
            for _, event in zip(range(1 + n % 3), events, strict=False):
                assert not isinstance(event, Answer)
        return None

    answers = at_once(work)
    for n, answer in enumerate(answers):
        assert (answer is None) == (n % 2 == 0)
        assert answer is None or essence(answer) == essence(alone[n])
    left = [engine.spool.trace(row.id) for row in engine.spool.traces(limit=100) if row.status == "abandoned"]
    told = {(trace.attributes["session_id"], trace.input) for trace in left}
    assert told == {(f"left {n}", questions[n]) for n in range(0, THREADS, 2)}
    # No place is lost: all are asked once more.
    assert [essence(answer) for answer in at_once(lambda n: engine.ask(questions[n]))] == [essence(a) for a in alone]


ROOMS = ("aspen", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel")
YEARS = range(1000, 1700, 100)


def seats(folder: Path, *, since: int) -> None:
    """A page for each room; number and year belong together."""
    for number, room in enumerate(ROOMS):
        (folder / f"{room}.md").write_text(
            f"# {room}\n\nThe {room} room has {since + number} seats, since year{since}.\n"
        )


def test_questions_are_answered_while_documents_are_replaced(settings: Settings, tmp_path: Path) -> None:
    folder, done, seen = tmp_path / "rooms", threading.Event(), set[int]()
    folder.mkdir()
    seats(folder, since=YEARS[0])
    list(ingest([folder], settings=settings))
    engine = Engine.from_settings(settings)

    def replace() -> None:
        try:
            for since in YEARS[1:]:
                seats(folder, since=since)
                list(ingest([folder], settings=settings))
        finally:
            done.set()

    def ask(number: int) -> None:
        answer = engine.ask(f"How many seats has the {ROOMS[number]} room?")
        (year,) = (year for year in YEARS if f"The {ROOMS[number]} room has {year + number} seats" in answer.text)
        assert f"since year{year}" in answer.text
        seen.add(year)

    def search(number: int) -> None:
        hits = engine.search(f"seats {ROOMS[number]} room")
        assert hits[0].chunk.uri == f"rooms/{ROOMS[number]}.md"
        assert len({hit.chunk.uri for hit in hits}) == len(hits)

    def work(n: int) -> None:
        if n == 0:
            replace()
        while not done.is_set():
            (search if n % 2 else ask)(n % len(ROOMS))

    at_once(work)
    ask(1)
    assert {YEARS[-1]} < seen
    engine.searcher.opened.store.close()


def test_of_all_threads_that_see_a_switch_one_opens_the_new_version(engine: Engine, settings: Settings) -> None:
    versions = Versions(settings)
    versions.create("v2", Recipe.of(settings, parser=1))
    list(ingest([EXAMPLES / "handbook" / "it"], settings=settings, version="v2"))
    before = engine.searcher.opened
    versions.switch("v2")

    opened = at_once(lambda _: engine.searcher.index)
    assert len({id(index) for index in opened}) == 1
    assert engine.searcher.opened.version == "v2"
    assert before is not engine.searcher.opened
