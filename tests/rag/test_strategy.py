"""Several models of the answer role: who is asked, whose draft is chosen, and what is told of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_server import KEY, FakeChat

from rag.engine import Delta, Engine, Event, Stage
from rag.errors import ConfigError, ModelError
from rag.llm.protocol import Restart
from rag.roles import CandidateSettings
from rag.settings import Provider, Settings, load_settings
from rag.strategy import make_strategy
from rag.types import Answer, Step
from rag.views import nested

ASKED = "How many working days of annual leave do full-time employees have?"
RIGHT = {"reply": "Full-time employees have 30 working days of annual leave a year [1]."}
NEARLY = {"reply": "Full-time employees have 30 working days of annual leave [1]."}
OTHER = {"reply": "Part-time employees have leave in proportion to their hours [1]."}
HALF = {"reply": f"{RIGHT['reply']} Dogs sleep in the canteen on Fridays [1]."}
WRONG = {"reply": "Employees have 45 days of annual leave [1]."}
DECLINED = {"reply": "NOT IN THE DOCUMENTS"}
DOWN = {"error": "down"}
DYING = {"reply": "Employees have 45 days", "error": "out of memory"}
PRICES = CandidateSettings(price_in=2, price_out=10)


def settings_for(folder: Path, strategy: str, entries: Sequence[dict[str, Any]], **options: Any) -> Settings:
    """Models a, b, c ... that say one thing each; they are not asked first whether there is an answer."""
    names = [f"scripted:{letter}.json" for letter, _ in zip("abc", entries, strict=False)]
    for name, entry in zip(names, entries, strict=True):
        (folder / name.partition(":")[2]).write_text(json.dumps([{"match": "", **entry}]))
    settings = load_settings(folder / "plumbline.toml")
    generate = settings.generate.model_copy(update={"strategy": strategy, "answerable_at": 0.0, **options})
    roles = settings.roles.model_copy(update={"answer": tuple(names)})
    candidates = dict.fromkeys(names, PRICES)
    return settings.model_copy(update={"generate": generate, "roles": roles, "candidates": candidates})


def engine(folder: Path, strategy: str, *entries: dict[str, Any], **options: Any) -> Engine:
    return Engine.from_settings(settings_for(folder, strategy, entries, **options))


def steps(of: Engine) -> list[Step]:
    return list(of.spool.trace(of.spool.traces(limit=1)[0].id).steps)


def choice(of: Engine) -> dict[str, Any]:
    """What the trace tells of the choice."""
    (step,) = (step for step in steps(of) if step.name == "choose")
    return dict(step.attributes)


def answer_in(events: Sequence[Event]) -> Answer:
    (answer,) = (event for event in events if isinstance(event, Answer))
    return answer


def reasons(events: Sequence[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, Restart)]


def spoken(events: Sequence[Event]) -> list[str]:
    """What was shown, cut at each restart."""
    said = [""]
    for event in events:
        if isinstance(event, Restart):
            said.append("")
        elif isinstance(event, Delta):
            said[-1] += event.text
    return said


# A cascade.


def test_a_cascade_ends_with_the_first_draft_that_is_supported(filled: Path) -> None:
    asked = engine(filled, "cascade", RIGHT, OTHER)
    events = list(asked.stream(ASKED))
    answer = answer_in(events)
    assert (answer.models["answer"], answer.verdict.supported) == ("scripted:a.json", True)
    assert reasons(events) == []
    told = choice(asked)
    assert (told["strategy"], told["model"], told["decided_by"]) == ("cascade", "scripted:a.json", "no other draft")
    assert [draft["model"] for draft in told["drafts"]] == ["scripted:a.json"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (WRONG, "0 of 1 claims of scripted:a.json are supported"),
        (HALF, "1 of 2 claims of scripted:a.json are supported"),
        (DECLINED, "scripted:a.json finds no answer in the passages"),
        (DOWN, "scripted:a.json: down"),
        (DYING, "scripted:a.json: out of memory"),
    ],
)
def test_where_a_draft_is_not_enough_the_next_model_begins_anew(
    filled: Path, entry: dict[str, Any], reason: str
) -> None:
    events = list(engine(filled, "cascade", entry, RIGHT).stream(ASKED))
    assert reasons(events) == [reason]
    first, second = spoken(events)
    assert first.strip() == ("" if entry in (DECLINED, DOWN) else entry["reply"])
    assert second == RIGHT["reply"]
    answer = answer_in(events)
    assert (answer.abstained, answer.models["answer"]) == (False, "scripted:b.json")
    assert answer.text == RIGHT["reply"]


def test_a_cascade_accepts_what_the_settings_call_enough(filled: Path) -> None:
    asked = engine(filled, "cascade", HALF, RIGHT, accept_at=0.5)
    assert asked.ask(ASKED).models["answer"] == "scripted:a.json"


@pytest.mark.parametrize("last", [WRONG, DECLINED, DOWN, DYING])
def test_where_the_last_draft_is_no_better_the_best_is_the_answer(filled: Path, last: dict[str, Any]) -> None:
    asked = engine(filled, "cascade", HALF, last)
    answer = asked.ask(ASKED)
    assert (answer.abstained, answer.models["answer"]) == (False, "scripted:a.json")
    assert answer.text.startswith(RIGHT["reply"])
    assert choice(asked)["model"] == "scripted:a.json"


def test_of_two_drafts_that_are_equally_supported_the_stronger_model_has_the_answer(filled: Path) -> None:
    also_half = {"reply": f"{OTHER['reply']} Cats sleep in the canteen on Fridays [1]."}
    asked = engine(filled, "cascade", HALF, also_half)
    assert asked.ask(ASKED).models["answer"] == "scripted:b.json"
    assert choice(asked)["decided_by"] == "place"


def test_where_all_decline_the_answer_is_an_abstention(filled: Path) -> None:
    answer = engine(filled, "cascade", DECLINED, DECLINED).ask(ASKED)
    assert (answer.abstained, answer.models["answer"]) == (True, "scripted:b.json")
    assert "don't hold the answer" in answer.text


def test_a_model_that_sees_no_answer_in_the_passages_leaves_it_to_the_next(filled: Path) -> None:
    settings = settings_for(filled, "cascade", [RIGHT, RIGHT], answerable_at=0.45)
    for name, word in (("a", "No"), ("b", "Yes")):
        (filled / f"{name}.json").write_text(
            json.dumps([{"match": "Yes or No", "reply": word}, {"match": "", **RIGHT}])
        )
    asked = Engine.from_settings(settings)
    events = list(asked.stream(ASKED))
    assert reasons(events) == ["scripted:a.json finds no answer in the passages"]
    assert [draft["calls"] for draft in choice(asked)["drafts"]] == [3, 5]


def test_an_abandoned_cascade_leaves_its_trace_and_asks_nobody_else(filled: Path) -> None:
    asked = engine(filled, "cascade", WRONG, RIGHT)
    stream = asked.stream(ASKED)
    while not isinstance(next(stream), Delta):
        pass
    stream.close()
    assert asked.spool.traces(limit=1)[0].status == "abandoned"
    assert [step.name for step in steps(asked)][-1] == "generate"
    assert ended("model call")


# A vote.


@pytest.mark.parametrize(
    ("entries", "winner", "decided_by"),
    [
        ((DECLINED, RIGHT), "b", "is_answer"),
        ((WRONG, HALF), "b", "is_answer"),
        ((HALF, RIGHT), "b", "supported_share"),
        ((RIGHT, RIGHT), "a", "place"),
        ((OTHER, RIGHT, NEARLY), "c", "agreement"),
        ((DOWN, WRONG), "b", "no other draft"),
        ((DYING, RIGHT, DOWN), "b", "no other draft"),
        ((DECLINED, DECLINED), "a", "place"),
    ],
)
def test_the_best_supported_draft_wins_the_vote(
    filled: Path, entries: Sequence[dict[str, Any]], winner: str, decided_by: str
) -> None:
    asked = engine(filled, "vote", *entries)
    answer = asked.ask(ASKED)
    told = choice(asked)
    assert (answer.models["answer"], told["model"]) == (f"scripted:{winner}.json", f"scripted:{winner}.json")
    assert told["decided_by"] == decided_by
    assert [draft["model"] for draft in told["drafts"]] == [
        f"scripted:{x}.json" for x, _ in zip("abc", entries, strict=False)
    ]


def test_nothing_is_shown_before_the_vote_is_decided(filled: Path) -> None:
    events = list(engine(filled, "vote", WRONG, RIGHT).stream(ASKED))
    assert not [event for event in events if isinstance(event, Delta | Restart)]
    assert list(dict.fromkeys(event.name for event in events if isinstance(event, Stage))) == ["retrieve", "vote"]
    answer = answer_in(events)
    assert answer.text == RIGHT["reply"]
    assert answer.timings_ms["first_token"] <= answer.timings_ms["total"]


def test_a_defect_in_a_thread_of_the_vote_is_raised(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.draft.verify", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engine(filled, "vote", RIGHT, RIGHT).ask(ASKED)


def test_an_abandoned_vote_closes_every_stream(filled: Path, server: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_KEY", KEY)
    server.behaviour = "late"
    settings = settings_for(filled, "vote", [RIGHT])
    roles = settings.roles.model_copy(update={"answer": ("scripted:a.json", "fake:small")})
    providers = {"fake": Provider(base_url=server.url, api_key_env="FAKE_KEY", timeout_s=20)}
    asked = Engine.from_settings(settings.model_copy(update={"roles": roles, "providers": providers}))
    stream = asked.stream(ASKED)
    while not server.requests:
        next(stream)
    stream.close()
    assert asked.spool.traces(limit=1)[0].status == "abandoned"
    server.released.set()
    assert ended("vote")
    assert ended("model call")
    assert server.left_alone.wait(10)


def ended(name: str) -> bool:
    """Whether the threads of this name end soon."""
    mine = [thread for thread in threading.enumerate() if thread.name.startswith(name)]
    for thread in mine:
        thread.join(10)
    return not any(thread.is_alive() for thread in mine)


# Both.


@pytest.mark.parametrize("strategy", ["cascade", "vote"])
def test_the_steps_of_each_draft_are_parts_of_it(filled: Path, strategy: str) -> None:
    asked = engine(filled, strategy, WRONG, DYING, RIGHT)
    asked.ask(ASKED)
    found = steps(asked)
    drafts = [step for step in found if step.name == "draft"]
    assert {step.attributes["model"] for step in drafts} == {f"scripted:{letter}.json" for letter in "abc"}
    for draft in drafts:
        parts = [step for step in found if step.parent_id == draft.id]
        is_dying = draft.attributes["model"] == "scripted:b.json"
        assert [step.name for step in parts] == (["generate"] if is_dying else ["generate", "verify"])
        assert parts[0].attributes["model"] == draft.attributes["model"]
        assert bool(draft.error) == is_dying
        assert all(draft.started_at <= step.started_at <= step.ended_at <= draft.ended_at for step in parts)
    told = [(depth, step.name) for depth, step in nested(found)]
    assert told[-1] == (0, "choose")
    assert told.count((0, "draft")) == told.count((1, "generate")) == 3
    assert told[told.index((0, "draft")) + 1] == (1, "generate")


@pytest.mark.parametrize("strategy", ["cascade", "vote"])
def test_the_calls_of_all_models_count(filled: Path, strategy: str) -> None:
    asked = engine(filled, strategy, WRONG, RIGHT)
    answer = asked.ask(ASKED)
    calls = [step.attributes for step in steps(asked) if step.kind == "generation"]
    assert sorted(call["model"] for call in calls) == ["scripted:a.json", "scripted:b.json"]
    assert answer.usage.prompt == sum(call["usage"]["prompt"] for call in calls)
    assert answer.usage.completion == sum(call["usage"]["completion"] for call in calls)
    assert answer.cost == pytest.approx((answer.usage.prompt * 2 + answer.usage.completion * 10) / 1e6)
    assert answer.cost == pytest.approx(sum(draft["cost"] for draft in choice(asked)["drafts"]))


@pytest.mark.parametrize("strategy", ["cascade", "vote"])
def test_what_was_asked_before_a_failure_counts(filled: Path, strategy: str) -> None:
    settings = settings_for(filled, strategy, [RIGHT, RIGHT], answerable_at=0.45)
    failing = [{"match": "Yes or No", "reply": "Yes"}, {"match": "", **DOWN}]
    (filled / "a.json").write_text(json.dumps(failing))
    (filled / "b.json").write_text(json.dumps([{"match": "Yes or No", "reply": "Yes"}, {"match": "", **RIGHT}]))
    asked = Engine.from_settings(settings)
    answer = asked.ask(ASKED)
    assert [draft["calls"] for draft in choice(asked)["drafts"]] == [1, 5]
    assert answer.cost == pytest.approx((answer.usage.prompt * 2 + answer.usage.completion * 10) / 1e6)
    # Who failed is not asked again in the same question.
    failed = [step for step in steps(asked) if step.error and step.kind == "generation"]
    assert [(step.name, step.attributes["attempts"][0]["outcome"]) for step in failed] == [("propose", "failed")]


@pytest.mark.parametrize("strategy", ["cascade", "vote"])
def test_what_a_model_took_that_broke_off_is_unknown(filled: Path, strategy: str) -> None:
    asked = engine(filled, strategy, DYING, RIGHT)
    answer = asked.ask(ASKED)
    assert (answer.abstained, answer.cost) == (False, None)
    assert [draft["cost"] is None for draft in choice(asked)["drafts"]] == [True, False]


@pytest.mark.parametrize("strategy", ["cascade", "vote"])
def test_who_can_not_be_paid_is_passed_over(filled: Path, strategy: str) -> None:
    settings = settings_for(filled, strategy, [RIGHT, OTHER])
    dear, free = (PRICES.model_copy(update={"price_cached": 1.0, "price_in": price}) for price in (1e6, 0.001))
    candidates = {"scripted:a.json": dear, "scripted:b.json": free}
    bound = settings.budget.model_copy(update={"turn_cost": 0.01})
    asked = Engine.from_settings(settings.model_copy(update={"candidates": candidates, "budget": bound}))
    assert asked.ask(ASKED).models["answer"] == "scripted:b.json"
    assert [draft["calls"] for draft in choice(asked)["drafts"]] == [0, 1]


@pytest.mark.parametrize("strategy", ["cascade", "vote"])
def test_where_all_models_fail_the_error_names_each(filled: Path, strategy: str) -> None:
    asked = engine(filled, strategy, DOWN, DYING)
    with pytest.raises(ModelError, match=r"scripted:a\.json: down, then scripted:b\.json: out of memory"):
        asked.ask(ASKED)
    assert asked.spool.traces(limit=1)[0].status == "failed"
    assert [draft["told"] for draft in choice(asked)["drafts"]] == [
        "scripted:a.json: down",
        "scripted:b.json: out of memory",
    ]


@pytest.mark.parametrize("strategy", ["cascade", "vote"])
def test_a_choice_needs_two_models(filled: Path, strategy: str) -> None:
    with pytest.raises(ConfigError, match=f"generate.strategy is '{strategy}', and roles.answer names scripted:a.json"):
        engine(filled, strategy, RIGHT)


@pytest.mark.parametrize("strategy", ["cascade", "vote"])
def test_a_model_that_is_no_chain_can_not_be_chosen_from(filled: Path, strategy: str) -> None:
    asked = engine(filled, "first", RIGHT)
    options = asked.settings.generate.model_copy(update={"strategy": strategy})
    alone = asked.settings.model_copy(update={"generate": options})
    with pytest.raises(ConfigError, match="no list of models"):
        make_strategy(alone, asked._drafter, asked._answer.candidates[0])  # type: ignore[attr-defined]


def test_the_first_answers_where_nothing_else_is_set(filled: Path) -> None:
    asked = engine(filled, "first", WRONG, RIGHT)
    assert asked.ask(ASKED).abstained
    assert not [step for step in steps(asked) if step.name == "choose"]


def test_a_trace_without_texts_still_tells_who_was_chosen(filled: Path) -> None:
    settings = settings_for(filled, "cascade", [WRONG, RIGHT])
    trace = settings.trace.model_copy(update={"content": "none"})
    asked = Engine.from_settings(settings.model_copy(update={"trace": trace}))
    asked.ask(ASKED)
    told = choice(asked)
    assert (told["strategy"], told["model"], told["decided_by"]) == ("cascade", "scripted:b.json", "is_answer")
    assert all("told" not in draft for draft in told["drafts"])
