"""More queries for a question: what of a model's reply is taken, how hits are fused, what the trace tells."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.engine import Engine
from rag.errors import ConfigError
from rag.expand import Expander
from rag.llm.scripted import ScriptedLLM
from rag.search import Found
from rag.settings import Settings, load_settings
from rag.types import Chunk, Hit, Step, Turn

ASKED = "How much annual leave do I have, and what does the company pay for a private car?"
PARTS = "1. How much annual leave do I have?\n2. What does the company pay for a private car?"
OTHERS = ("How much annual leave do I have?", "What does the company pay for a private car?")


def engine(folder: Path, *entries: dict[str, Any], **retrieve: Any) -> Engine:
    """The engine of the project, with a scripted model that adds queries and answers."""
    (folder / "script.json").write_text(json.dumps(entries))
    settings = load_settings(folder / "plumbline.toml")
    roles = settings.roles.model_copy(update={"rewrite": "scripted:script.json"})
    changed = settings.retrieve.model_copy(update={"expand": "parts", **retrieve})
    return Engine.from_settings(settings.model_copy(update={"roles": roles, "retrieve": changed}))


def steps(of: Engine) -> dict[str, Step]:
    return {step.name: step for step in of.spool.trace(of.spool.traces(limit=1)[0].id).steps}


def expander(**retrieve: Any) -> Expander:
    settings = Settings(root=Path.cwd())
    changed = settings.retrieve.model_copy(update=retrieve)
    model = ScriptedLLM("scripted:quote", script="quote", root=Path.cwd())
    return Expander(settings.model_copy(update={"retrieve": changed}), model)


def hit(name: str, score: float, *, text: str = "", **scores: float) -> Hit:
    chunk = Chunk(
        id=name, uri=f"{name}.md", title="", headings=(), page=None, position=0, text=text or name, revision="r"
    )
    return Hit(chunk=chunk, score=score, scores=scores, ranks={"fused": 1 if score > 0.5 else 2})


def found(*hits: Hit, failure: str = "") -> Found:
    return Found(hits=hits, left_out=(), dense_weight=0.5, failure=failure)


def test_the_parts_of_a_question_are_searched_too_and_the_trace_tells(filled: Path) -> None:
    asked = engine(filled, {"match": "annual leave", "reply": PARTS})
    answer = asked.ask(ASKED)
    told = steps(asked)
    assert next(iter(told)) == "expand"
    assert told["expand"].attributes["queries"] == [ASKED, *OTHERS]
    assert told["expand"].attributes["prompt_id"] == "expand-parts"
    assert told["retrieve"].attributes["query"] == ASKED
    assert {"docs/hr/leave.md", "docs/travel.md"} <= {hit.chunk.uri for hit in answer.hits[:3]}
    assert {"dense", "lexical", "fused", "expand"} <= set(answer.hits[0].scores)
    assert [hit.ranks["expand"] for hit in answer.hits] == list(range(1, len(answer.hits) + 1))
    assert answer.models["rewrite"] == "scripted:script.json"
    assert answer.usage.prompt > told["expand"].attributes["usage"]["prompt"] > 0
    assert "expand-parts" in [prompt.id for prompt in asked.prompts]


@pytest.mark.parametrize("entry", [{"reply": "Sure! Here you go."}, {"error": "out of memory"}])
def test_a_model_that_fails_or_talks_leaves_the_plain_question(filled: Path, entry: dict[str, Any]) -> None:
    asked = engine(filled, {"match": "", **entry})
    plain = engine(filled, expand="none")
    assert [h.chunk.id for h in asked.ask(ASKED).hits] == [h.chunk.id for h in plain.ask(ASKED).hits]
    told = next(step for step in asked.spool.trace(asked.spool.traces(limit=2)[1].id).steps if step.name == "expand")
    assert told.attributes["queries"] == [ASKED]
    assert ("out of memory" in told.attributes.get("failure", "")) == ("error" in entry)


def test_it_is_off_unless_wanted(filled: Path) -> None:
    asked = engine(filled, {"match": "", "error": "asked in vain"}, expand="none")
    asked.ask(ASKED)
    assert "expand" not in steps(asked)


def test_a_follow_up_is_made_to_stand_alone_first(filled: Path) -> None:
    entries = (
        {"match": "Last question", "reply": "How much leave?"},
        {"match": "", "reply": "How many days of leave?"},
    )
    asked = engine(filled, *entries, expand="paraphrase")
    asked.ask("And those?", history=[Turn(question="leave", answer="x")])
    assert list(steps(asked))[:3] == ["rewrite", "expand", "retrieve"]
    assert steps(asked)["expand"].attributes["queries"] == ["How much leave?", "How many days of leave?"]


def test_without_a_model_for_it_the_settings_are_refused(filled: Path) -> None:
    settings = load_settings(filled / "plumbline.toml")
    changed = settings.retrieve.model_copy(update={"expand": "parts"})
    with pytest.raises(ConfigError, match=r"retrieve\.expand is 'parts', and roles\.rewrite names no model") as refused:
        Engine.from_settings(settings.model_copy(update={"retrieve": changed}))
    assert "name one in roles.rewrite" in refused.value.remedy


@pytest.mark.parametrize(
    ("mode", "reply", "added"),
    [
        ("parts", "- Who?\n* “When?”\n3) Where?", ("Who?", "When?")),
        ("parts", "Who is it? When was it?", ("Who is it?", "When was it?")),
        ("parts", "谁？什么时候？", ("谁？", "什么时候？")),
        ("parts", "Here they are:\nWho?\nwho?\n\nWhy, and who?", ("Who?",)),
        ("parts", "Who?\nWho may use the reading room of the library?", ("Who?",)),
        ("parts", "NOT IN THE DOCUMENTS", ()),
        ("paraphrase", "What is it? And when?", ("What is it? And when?",)),
        ("answer", '"It costs EUR 12."\n***\n', ("It costs EUR 12.",)),
        ("answer", "x" * 9000, ()),
        ("answer", "", ()),
    ],
)
def test_what_of_a_reply_is_searched_for(mode: str, reply: str, added: tuple[str, ...]) -> None:
    assert expander(expand=mode).queries("Why, and who?", reply) == ("Why, and who?", *added)


def test_of_parts_a_hit_has_its_highest_score_and_the_best_of_every_stage() -> None:
    first = found(hit("a", 0.9, dense=0.4, lexical=3.0), hit("b", 0.2, dense=0.3, lexical=9.0))
    second = found(hit("b", 1.0, dense=0.8, lexical=1.0, late=0.7), hit("c", 0.5, dense=0.1))
    joint = expander(expand="parts").fused([first, second])
    assert [(one.chunk.id, one.score) for one in joint.hits] == [("b", 1.0), ("a", 0.9), ("c", 0.5)]
    assert joint.hits[0].scores == {"dense": 0.8, "lexical": 9.0, "late": 0.7, "expand": 1.0}
    assert joint.hits[0].ranks == {"fused": 1, "expand": 1}


def test_other_wordings_count_for_half_together() -> None:
    own, *others = found(hit("a", 0.8)), found(hit("b", 1.0), hit("a", 0.4)), found(hit("b", 0.5))
    joint = expander(expand="paraphrase").fused([own, *others])
    assert [(one.chunk.id, round(one.score, 3)) for one in joint.hits] == [("a", 0.5), ("b", 0.375)]


def test_fused_hits_are_distinct_bounded_and_tell_failures() -> None:
    said = "twelve months after the delivery at the latest"
    first = found(hit("a", 0.9, text=said), hit("b", 0.3, text="b"), failure="down")
    second = found(hit("copy", 0.8, text=said), hit("c", 0.4, text="c"), failure="down")
    joint = expander(expand="parts", limit=2).fused([first, second])
    assert [one.chunk.id for one in joint.hits] == ["a", "c"]
    assert [one.hit.chunk.id for one in joint.left_out] == ["copy"]
    assert joint.failure == "down"
    assert expander(expand="parts").fused([first]) == first
    assert expander(expand="parts").fused([first, replace(second, hits=())]).hits[0].chunk.id == "a"
