"""Tags and sessions of questions: from the call to the trace, the list and the destinations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from observed import ask_trace
from test_engine_flow import ASKED, engine, latest

from rag.errors import InputError
from rag.observe.codec import without_content
from rag.observe.filter import Filter
from rag.observe.spans.build import Vocabulary, export_request
from rag.observe.spans.gen_ai import GEN_AI
from rag.observe.spans.langfuse import LANGFUSE


def test_a_question_is_found_by_its_session_and_each_of_its_tags(filled: Path) -> None:
    asked = engine(filled)
    tagged = asked.ask(ASKED, session_id="chat-7", tags=["pilot", " two  words ", "pilot", 'quo"ted'])
    asked.ask(ASKED, tags=["other"])
    facts = asked.spool.trace(tagged.trace_id).attributes
    assert (facts["session_id"], facts["tags"]) == ("chat-7", ["pilot", "two words", 'quo"ted'])
    for tag in facts["tags"]:
        (row,) = asked.spool.traces(Filter(tag=tag))
        assert (row.id, row.session, row.tags) == (tagged.trace_id, "chat-7", tuple(facts["tags"]))
    assert asked.spool.traces(Filter(tag="pil")) == []


def test_a_question_without_tags_has_none(filled: Path) -> None:
    asked = engine(filled)
    asked.ask(ASKED)
    assert "tags" not in latest(asked).attributes
    assert asked.spool.traces(limit=1)[0].tags == ()


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("pilot", "a list of tags"),
        ([" "], "a tag is empty"),
        (["a", "b", "c"], "at most limits.tags = 2"),
        (["a" * 21], "at most limits.tag_chars = 20"),
    ],
)
def test_tags_out_of_bounds_are_refused_before_anything_is_asked(filled: Path, tags: Sequence[str], said: str) -> None:
    asked = engine(filled, limits={"tags": 2, "tag_chars": 20})
    before = asked.spool.traces()
    with pytest.raises(InputError, match=said):
        asked.ask(ASKED, tags=tags)
    assert asked.spool.traces() == before


def spans(words: Vocabulary, attributes: dict[str, Any]) -> list[dict[str, list[str]]]:
    """Of each span the attributes that are lists of texts."""
    sent = export_request(ask_trace(attributes=attributes), words).resource_spans[0].scope_spans[0].spans
    return [
        {one.key: [each.string_value for each in one.value.array_value.values] for one in span.attributes}
        for span in sent
    ]


def test_each_destination_gets_the_tags_with_every_span() -> None:
    facts = {"tags": ["pilot", "ask"], "abstained": True}
    assert all(span["langfuse.trace.tags"] == ["ask", "abstained", "pilot"] for span in spans(LANGFUSE, facts))
    assert all(span["plumbline.tags"] == ["pilot", "ask"] for span in spans(GEN_AI, facts))
    assert all("plumbline.tags" not in span for span in spans(GEN_AI, {}))


def test_tags_stay_where_texts_are_left_out() -> None:
    assert without_content(ask_trace(attributes={"tags": ["pilot"]})).attributes["tags"] == ["pilot"]
