"""The second opinion: what it is asked about, what it may change, who said so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag.engine import Engine
from rag.errors import ConfigError
from rag.settings import load_settings
from rag.types import Step

ASKED = "How many working days of annual leave do full-time employees have?"
TRUE = "Whoever works the whole week gets 30 days."


def engine(folder: Path, answer: str, *said: dict[str, Any], **verify: Any) -> Engine:
    """The engine of the project: a model that writes `answer`, and a judge who says what is scripted."""
    (folder / "answer.json").write_text(
        json.dumps([{"match": "Yes or No", "reply": "Yes"}, {"match": "", "reply": answer}])
    )
    (folder / "judge.json").write_text(json.dumps(said))
    settings = load_settings(folder / "plumbline.toml")
    roles = settings.roles.model_copy(update={"answer": "scripted:answer.json", "judge": "scripted:judge.json"})
    options = settings.verify.model_copy(update={"second_opinion": True, "abstain_unsupported": False, **verify})
    return Engine.from_settings(settings.model_copy(update={"roles": roles, "verify": options}))


def verified(of: Engine) -> Step:
    return next(step for step in of.spool.trace(of.spool.traces(limit=1)[0].id).steps if step.name == "verify")


def test_a_judge_may_support_what_the_rules_doubt_and_it_is_told_who_did(filled: Path) -> None:
    asked = engine(filled, TRUE, {"match": "(?s)30 working days.*whole week", "reply": "Yes."})
    answer = asked.ask(ASKED)
    (claim,) = answer.verdict.claims
    assert (claim.support, claim.judge) == ("supported", "scripted:judge.json")
    assert claim.reason == "the judge scripted:judge.json says so"
    assert claim.markers
    assert all(citation.supported for citation in answer.citations)
    assert answer.models["judge"] == "scripted:judge.json"
    step = verified(asked)
    (opinion,) = step.attributes["opinions"]
    assert (opinion["claim"], opinion["says_so"], opinion["prompt_id"]) == (TRUE, True, "opinion")
    assert step.attributes["claims"][0]["judge"] == "scripted:judge.json"
    assert answer.usage.prompt > opinion["usage"]["prompt"] > 0
    assert "opinion" in [prompt.id for prompt in asked.prompts]


@pytest.mark.parametrize("said", [{"reply": "No."}, {"reply": "Perhaps."}, {"reply": ""}, {"error": "down"}])
def test_a_judge_that_says_no_or_nothing_leaves_the_rules_verdict(filled: Path, said: dict[str, Any]) -> None:
    asked = engine(filled, TRUE, {"match": "", **said})
    (claim,) = asked.ask(ASKED).verdict.claims
    assert (claim.support in ("partly", "unsupported"), claim.judge) == (True, "")
    (opinion,) = verified(asked).attributes["opinions"]
    assert ("down" in opinion.get("failure", "")) == ("error" in said)


@pytest.mark.parametrize(
    "answer",
    [
        "Full-time employees have 31 working days of annual leave a year.",
        "Full-time employees have 30 working days of annual leave a year, and 400 EUR.",
        "Full-time employees have “30 happy days of leave” in the whole working week.",
        "Full-time employees have 30 working days of annual leave a year.",
    ],
)
def test_numbers_quotations_and_what_is_sure_are_not_asked_about(filled: Path, answer: str) -> None:
    asked = engine(filled, answer, {"match": "", "reply": "Yes"})
    (claim,) = asked.ask(ASKED).verdict.claims
    assert claim.judge == ""
    assert verified(asked).attributes["opinions"] == []


def test_so_many_claims_are_asked_about_and_none_after_a_failure(filled: Path) -> None:
    answer = "\n".join(
        f"- {who} works the whole week gets 30 days." for who in ("Whoever", "Anybody who", "Everyone who")
    )
    asked = engine(filled, answer, {"match": "", "reply": "Yes"}, opinions=2)
    assert [bool(claim.judge) for claim in asked.ask(ASKED).verdict.claims] == [True, True, False]
    failing = engine(filled, answer, {"match": "", "error": "down"})
    assert not any(claim.judge for claim in failing.ask(ASKED).verdict.claims)
    assert len(verified(failing).attributes["opinions"]) == 1


def test_a_judge_that_supports_nothing_else_keeps_the_answer(filled: Path) -> None:
    asked = engine(filled, TRUE, {"match": "", "reply": "Yes"}, abstain_unsupported=True)
    assert not asked.ask(ASKED).abstained


def test_it_is_off_unless_wanted_and_wants_a_model(filled: Path) -> None:
    asked = engine(filled, TRUE, {"match": "", "error": "asked in vain"}, second_opinion=False)
    asked.ask(ASKED)
    assert "opinions" not in verified(asked).attributes
    settings = load_settings(filled / "plumbline.toml")
    options = settings.verify.model_copy(update={"second_opinion": True})
    with pytest.raises(ConfigError, match=r"second_opinion is true, and roles\.judge names no model"):
        Engine.from_settings(settings.model_copy(update={"verify": options}))


def test_more_queries_and_opinions_are_paid_from_the_purse_of_the_question(filled: Path) -> None:
    asked = engine(filled, TRUE, {"match": "", "reply": "Yes?"})
    settings = asked.settings
    roles = settings.roles.model_copy(update={"rewrite": "scripted:judge.json"})
    retrieve = settings.retrieve.model_copy(update={"expand": "parts"})
    budget = settings.budget.model_copy(update={"turn_tokens": 1_000_000})
    paying = Engine.from_settings(settings.model_copy(update={"roles": roles, "retrieve": retrieve, "budget": budget}))
    usage = paying.ask(ASKED).usage
    trace = paying.spool.trace(paying.spool.traces(limit=1)[0].id)
    assert next(step.name for step in trace.steps) == "expand"
    assert len(verified(paying).attributes["opinions"]) == 1
    assert trace.attributes["budget"]["tokens"] == usage.prompt + usage.completion
