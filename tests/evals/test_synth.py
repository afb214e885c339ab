"""Questions made of passages: by rules and by a model, and which of them are marked."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from evals.dataset import load_dataset, write_dataset
from evals.synth.asked import Asked
from evals.synth.make import synthesize
from evals.synth.model import PATIENCE, make_writer
from evals.synth.rules import ask_by_rule, leans
from evals.synth.sift import TRIVIAL, UNANSWERABLE, Sieve
from ingest.pipeline import ingest
from rag.errors import ModelError
from rag.search import Searcher
from rag.settings import Settings, load_settings
from rag.types import Chunk, chunk_id

CONFIG = '[roles]\nanswer = "scripted:quote"\nembed = "scripted:words"\n'
RATES = "# Hotel rates\n\n| Zone | Limit per night |\n|---|---|\n| A | EUR 105 |\n| B | EUR 135 |\n"
LEAVE = "# Leave\n\nUp to five days may be carried into the next year without giving reasons.\n"


def chunk(text: str, *, headings: tuple[str, ...] = (), title: str = "Handbook") -> Chunk:
    return Chunk(
        id=chunk_id("a.md", "1", 0),
        uri="a.md",
        title=title,
        headings=headings,
        page=None,
        position=0,
        text=text,
        revision="1",
    )


def asked(text: str, headings: tuple[str, ...] = ()) -> Asked | None:
    return ask_by_rule(chunk(text, headings=headings), chance=random.Random(1))  # noqa: S311


@pytest.mark.parametrize(
    ("text", "question", "fact"),
    [
        (
            "Up to five days may be carried into the next year without giving reasons.",
            "How many days may be carried into the next year without giving reasons?",
            "five",
        ),
        (
            "A day at sea has at most 12 hours from quay to quay.",
            "How many hours does a day at sea have from quay to quay?",
            "12",
        ),
        (
            "Updates are installed within seven days after they are offered to the devices.",
            "Within what time are updates installed?",
            "seven days",
        ),
        (
            "The old model was discontinued on 30 June 2025 by the company.",
            "When was the old model discontinued?",
            "30 June 2025",
        ),
        ("The forecast of the day is read at 06:00 on the bridge.", "When is the forecast of the day read?", "06:00"),
        (
            "A data breach is any loss of personal data which the company did not want.",
            "What is a data breach?",
            "",
        ),
        ("Zone: A; Limit per night: EUR 105", "What is the limit per night of zone A?", "EUR 105"),
    ],
)
def test_a_rule_asks_for_what_stands_there(text: str, question: str, fact: str) -> None:
    assert asked(text) == Asked(question=question, fact=fact, sentence=text)


def test_headings_ask_where_nothing_else_does_and_other_languages_are_left_alone() -> None:
    text = "Go to the desk in the hall, and wait for the clerk."
    assert asked(text, ("1 People", "Where do I get a card?")) == Asked(
        question="Where do I get a card?", fact="", sentence=text
    )
    topic = asked(text, ("4.2 Lost cards",))
    assert topic
    assert topic.question == "What does “Handbook” say about “Lost cards”?"
    assert asked(text) is None
    assert asked("Bis zu fünf Tage dürfen in das nächste Jahr übertragen werden, wenn der Leiter es erlaubt.") is None
    assert asked("They are kept for five years by the office, and it is this that counts.") is None
    assert leans("When does this end?")
    assert not leans("When does the trial end?")


@pytest.fixture
def project(tmp_path: Path) -> Callable[[dict[str, str]], Searcher]:
    def make(documents: dict[str, str]) -> Searcher:
        (tmp_path / "plumbline.toml").write_text(CONFIG)
        for name, text in documents.items():
            (tmp_path / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "docs" / name).write_text(text)
        settings = load_settings(tmp_path / "plumbline.toml")
        list(ingest([tmp_path / "docs"], settings=settings))
        return Searcher.from_settings(settings)

    return make


def by_rule(one: Chunk) -> Asked | None:
    return ask_by_rule(one, chance=random.Random(1))  # noqa: S311


def test_cases_are_spread_over_documents_and_are_the_same_for_the_same_seed(
    project: Callable[[dict[str, str]], Searcher], tmp_path: Path
) -> None:
    many = "# Rules\n\n" + "\n\n".join(
        f"## Part {n} of it\n\nNotes of meeting {n} are kept for {n} years by the office of the company.\n"
        for n in range(10, 40)
    )
    searcher = project({"rates.md": RATES, "leave.md": LEAVE, "rules.md": many})
    made = [one.case for one in synthesize(searcher, by_rule, count=3, seed=7)]
    assert {case.sources for case in made[:3]} == {("docs/rates.md",), ("docs/leave.md",), ("docs/rules.md",)}
    assert made == [one.case for one in synthesize(searcher, by_rule, count=3, seed=7)]
    assert made != [one.case for one in synthesize(searcher, by_rule, count=3, seed=8)]
    assert all((case.origin, case.confirmed, case.tags[0]) == ("synthetic", False, "synthetic") for case in made)
    write_dataset(tmp_path / "s.jsonl", made, did="synth")
    assert load_dataset(tmp_path / "s.jsonl").cases == tuple(made)


def test_what_measures_little_is_marked(project: Callable[[dict[str, str]], Searcher]) -> None:
    same = {f"copies/{n}.md": f"# Opening\n\nThe desk is open until 18:00 on each day of week {n}.\n" for n in range(4)}
    searcher = project({"rates.md": RATES, "leave.md": LEAVE, **same})
    sieve = Sieve(searcher)
    leave, desk = (
        next(c for c in searcher.index.store.chunks() if c.uri.endswith(name)) for name in ("leave.md", "copies/0.md")
    )
    copied = by_rule(leave)
    assert copied
    assert sieve.tags(copied, leave) == (TRIVIAL,)
    other = Asked(question="What vacation can be kept for the next year?", fact="five", sentence=LEAVE)
    assert sieve.tags(other, leave) == ()
    common = Asked(question="The desk is open until when?", fact="18:00", sentence="The desk is open until 18:00")
    assert sieve.tags(common, desk) == (TRIVIAL,)
    for question in ("What do they say about leave days?", "Why?", "leave"):
        assert sieve.tags(Asked(question=question, fact="", sentence=""), leave) == (UNANSWERABLE,)
    lost = chunk("Nothing of this is in the index.")
    assert sieve.tags(Asked(question="What is in the index?", fact="", sentence=""), lost) == (UNANSWERABLE,)


def test_what_not_everyone_may_read_is_left_out(project: Callable[[dict[str, str]], Searcher], tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md.meta.toml").write_text('readers = ["group:people"]\n')
    searcher = project({"rates.md": RATES, "leave.md": LEAVE})
    made = [one.case for one in synthesize(searcher, by_rule, count=5, seed=0)]
    assert {case.sources for case in made} == {("docs/rates.md",)}


def with_judge(tmp_path: Path, *entries: dict[str, str]) -> Settings:
    (tmp_path / "judge.json").write_text(json.dumps(entries))
    (tmp_path / "plumbline.toml").write_text(f'{CONFIG}judge = "scripted:judge.json"\n')
    return load_settings(tmp_path / "plumbline.toml")


def test_a_model_asks_and_its_answer_has_to_stand_in_the_passage(tmp_path: Path) -> None:
    settings = with_judge(
        tmp_path,
        {"match": "> .*five days", "reply": "Question: How much vacation moves on?\nAnswer: “Five days”."},
        {"match": "> .*EUR", "reply": "Question: What is paid?\nAnswer: EUR 999"},
        {"match": "", "reply": "I can't."},
    )
    writer = make_writer(settings)
    assert writer
    text = "Leave is nice. Up to five days may be carried over."
    assert writer.ask(chunk(text)) == Asked(
        question="How much vacation moves on?", fact="Five days", sentence="Up to five days may be carried over."
    )
    assert writer.ask(chunk("It is EUR 105.")) is None
    assert writer.ask(chunk("Nothing.")) is None
    assert (
        make_writer(load_settings(Path(tmp_path / "plumbline.toml")).model_copy(update={"roles": Settings().roles}))
        is None
    )


def test_a_model_that_fails_again_and_again_ends_it(tmp_path: Path) -> None:
    writer = make_writer(with_judge(tmp_path, {"match": "", "error": "the server is down"}))
    assert writer
    for _ in range(PATIENCE - 1):
        assert writer.ask(chunk("Text.")) is None
    with pytest.raises(ModelError, match="the server is down"):
        writer.ask(chunk("Text."))
