"""What a trace tells: of calls that came to nothing, of who asked, of what the search took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_engine_flow import ASKED, engine, latest, script, scripts

from rag.engine import Delta, Engine
from rag.errors import ModelError
from rag.observe.spans.build import export_request
from rag.observe.spans.langfuse import LANGFUSE
from rag.types import Step

SAID = "Employees have 30 working days"


def step(of: Engine, name: str) -> Step:
    return next(found for found in latest(of).steps if found.name == name)


def test_the_embedding_of_the_question_is_a_part_of_the_search(filled: Path) -> None:
    asked = engine(filled)
    asked.ask(ASKED)
    embed, retrieve = step(asked, "embed"), step(asked, "retrieve")
    assert (embed.kind, embed.parent_id) == ("embedding", retrieve.id)
    assert embed.attributes == {"model": "scripted:words", "input": ASKED}
    assert retrieve.started_at <= embed.started_at <= embed.ended_at <= retrieve.ended_at
    sent = export_request(latest(asked), LANGFUSE).resource_spans[0].scope_spans[0].spans
    (span,) = (one for one in sent if one.name == "embed")
    assert span.parent_span_id.hex() == retrieve.id
    told = {one.key: one.value.string_value for one in span.attributes}
    assert told["langfuse.observation.type"] == "embedding"
    assert told["langfuse.observation.model.name"] == "scripted:words"
    assert told["langfuse.observation.input"] == ASKED


def sent(call: Step) -> dict[str, Any]:
    """What was known before the call: the same, whatever became of it."""
    return {name: call.attributes[name] for name in ("messages", "parameters", "prompt_id", "prompt_version")}


def test_a_call_that_fails_tells_what_was_sent_and_the_text_so_far(filled: Path) -> None:
    whole = engine(filled, generate={"answerable_at": 0.0})
    whole.ask(ASKED)
    told = script(filled, {"match": "", "reply": SAID, "error": "out of memory"})
    asked = engine(filled, generate={"answerable_at": 0.0}, roles=told)
    with pytest.raises(ModelError, match="out of memory"):
        asked.ask(ASKED)
    call = step(asked, "generate")
    assert sent(call) == sent(step(whole, "generate"))
    assert ASKED in call.attributes["messages"][-1]["content"]
    assert (call.attributes["model"], call.attributes["output"]) == ("scripted:script.json", SAID)
    (row,) = asked.spool.traces(limit=1)
    assert [prompt.partition("@")[0] for prompt in row.prompts] == ["answer"]


def test_a_stream_that_is_abandoned_tells_what_was_sent_and_the_text_so_far(filled: Path) -> None:
    asked = engine(filled, roles=script(filled, {"match": "Yes or No", "reply": "Yes"}, {"match": "", "reply": SAID}))
    stream, shown = asked.stream(ASKED), ""
    while len(shown.split()) < 3:
        event = next(stream)
        shown += event.text if isinstance(event, Delta) else ""
    stream.close()
    call = step(asked, "generate")
    assert call.error == "abandoned"
    assert ASKED in sent(call)["messages"][-1]["content"]
    assert call.attributes["output"] == shown
    assert SAID.startswith(shown.strip())


def test_a_chain_that_fails_names_who_was_asked_last(filled: Path) -> None:
    told = scripts(filled, a={"reply": "Forty", "error": "gone"}, b={"error": "down"})
    asked = engine(filled, roles=told, generate={"answerable_at": 0.0})
    with pytest.raises(ModelError, match="no model answered"):
        asked.ask(ASKED)
    call = step(asked, "generate")
    # What the first one said was void when the second one began.
    assert (call.attributes["model"], call.attributes["output"]) == ("scripted:b.json", "")


def test_a_short_call_that_fails_tells_what_was_sent(filled: Path) -> None:
    asked = engine(filled, roles=script(filled, {"match": "", "error": "down"}))
    with pytest.raises(ModelError, match="down"):
        asked.ask(ASKED)
    call = step(asked, "prior")
    assert (call.attributes["model"], call.attributes["prompt_id"]) == ("scripted:script.json", "prior")
    assert ASKED in call.attributes["messages"][-1]["content"]
