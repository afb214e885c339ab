"""Whether the words that an answer cites hold the answer alone: asked after the check, and what comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag.engine import Engine
from rag.settings import load_settings
from rag.types import Answer, Step

ASKED = "How many working days of annual leave do full-time employees have?"
RIGHT = {"match": "", "reply": "Full-time employees have 30 working days of annual leave."}
YES = {"match": "Yes or No", "reply": "Yes"}
ALONE = "these passages alone"


def asked(folder: Path, alone: dict[str, Any], **options: Any) -> tuple[Answer, list[Step]]:
    """The answer where the model says so to the second look, and the steps of its trace."""
    (folder / "script.json").write_text(json.dumps([{"match": ALONE, **alone}, YES, RIGHT]))
    settings = load_settings(folder / "plumbline.toml")
    generate = settings.generate.model_copy(update=options)
    roles = settings.roles.model_copy(update={"answer": ("scripted:script.json",)})
    engine = Engine.from_settings(settings.model_copy(update={"roles": roles, "generate": generate}))
    answer = engine.ask(ASKED)
    return answer, list(engine.spool.trace(answer.trace_id).steps)


def test_cited_words_that_do_not_answer_the_question_are_no_answer(filled: Path) -> None:
    answer, steps = asked(filled, {"reply": "No"})
    assert answer.abstained
    assert answer.citations == ()
    assert answer.verdict.supported
    assert answer.text.startswith("The documents don't confirm what the model answered. Looked for: ")
    assert steps[-1].name == "alone"


def test_the_model_reads_the_cited_words_and_no_others(filled: Path) -> None:
    answer, steps = asked(filled, {"reply": "Yes"})
    assert not answer.abstained
    (citation,) = answer.citations
    system, user = steps[-1].attributes["messages"]
    quoted = "\n".join(f"> {line}" for line in citation.quote.splitlines())
    passages, _, question = user["content"].partition("\n\n")
    assert passages.partition("\n")[2] == quoted
    assert passages.startswith(f"[{citation.marker}] Annual leave")
    assert question.startswith(f"Question: {ASKED}\n")
    # The same words first as in the other calls: a server that keeps them need not read them again.
    assert system == next(step for step in steps if step.name == "generate").attributes["messages"][0]
    assert answer.usage.completion > 0


@pytest.mark.parametrize("alone", [{"error": "out of memory"}, {"reply": "", "error": "down"}])
def test_an_answer_is_not_lost_where_the_second_look_fails(filled: Path, alone: dict[str, str]) -> None:
    answer, steps = asked(filled, alone)
    assert not answer.abstained
    assert "30 working days" in answer.text
    assert (steps[-1].name, "ModelError" in str(steps[-1].error)) == ("alone", True)


@pytest.mark.parametrize("off", [{"alone_at": 0.0}, {"answerable_at": 0.0}])
def test_it_is_not_asked_where_nobody_wants_it(filled: Path, off: dict[str, float]) -> None:
    answer, steps = asked(filled, {"reply": "No"}, **off)
    assert not answer.abstained
    assert steps[-1].name == "verify"


def test_what_is_withheld_already_is_not_looked_at_again(filled: Path) -> None:
    (filled / "script.json").write_text(json.dumps([YES, {"match": "", "reply": "The founder came from Mars."}]))
    settings = load_settings(filled / "plumbline.toml")
    roles = settings.roles.model_copy(update={"answer": ("scripted:script.json",)})
    engine = Engine.from_settings(settings.model_copy(update={"roles": roles}))
    answer = engine.ask(ASKED)
    assert answer.abstained
    assert engine.spool.trace(answer.trace_id).steps[-1].name == "verify"
