"""A question from its first event to its trace, over real parts and scripted models."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag.engine import Delta, Engine, Stage
from rag.errors import ConfigError, InputError, ModelError
from rag.llm.protocol import Piece, Restart, Sampling
from rag.llm.scripted import ScriptedLLM
from rag.roles import CandidateSettings
from rag.settings import Settings, load_settings
from rag.types import Answer, Feedback, Message, Trace, Turn

ASKED = "How many working days of annual leave do full-time employees have?"


def engine(folder: Path, **changes: dict[str, Any]) -> Engine:
    """The engine of the project; `changes` are settings by section."""
    settings = load_settings(folder / "plumbline.toml")
    values = {name: getattr(settings, name).model_copy(update=update) for name, update in changes.items()}
    return Engine.from_settings(settings.model_copy(update=values))


def script(folder: Path, *entries: dict[str, Any]) -> dict[str, str]:
    (folder / "script.json").write_text(json.dumps(entries))
    return {"answer": "scripted:script.json"}


def latest(of: Engine) -> Trace:
    return of.spool.trace(of.spool.traces(limit=1)[0].id)


def test_an_answer_comes_with_its_evidence(filled: Path) -> None:
    asked = engine(filled)
    answer = asked.ask(ASKED)
    assert "30 working days" in answer.text
    assert not answer.abstained
    assert answer.verdict.supported
    (citation,) = answer.citations
    assert (citation.uri, citation.supported) == ("docs/hr/leave.md", True)
    passage = next(passage for passage in answer.passages if passage.marker == citation.marker)
    assert citation.quote in passage.text
    assert f"[{citation.marker}]" in answer.text
    assert answer.models == {"answer": "scripted:quote", "embed": "scripted:words"}
    assert answer.usage.prompt > 0
    assert {"retrieve", "generate", "verify", "total", "first_token"} <= set(answer.timings_ms)


def test_a_step_of_the_clock_gives_no_absurd_times(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(2_000_000_000, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    asked = engine(filled)
    assert 0 <= asked.ask(ASKED).timings_ms["total"] < 60_000
    trace = latest(asked)
    assert 0 < trace.ended_at - trace.started_at < 60
    assert all(0 <= step.ended_at - step.started_at < 60 for step in trace.steps)


def test_the_stream_tells_its_stages_then_pieces_then_the_answer(filled: Path) -> None:
    events = list(engine(filled).stream(ASKED))
    assert [event.name for event in events if isinstance(event, Stage)] == ["retrieve", "generate", "verify"]
    pieces = "".join(event.text for event in events if isinstance(event, Delta))
    assert "30 working days" in pieces
    assert isinstance(events[-1], Answer)
    kinds = [type(event).__name__ for event in events]
    assert kinds.index("Delta") == 2
    assert kinds[-2:] == ["Stage", "Answer"]


def test_a_question_the_documents_do_not_answer_is_declined(filled: Path) -> None:
    events = list(engine(filled).stream("Who painted the moon?"))
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.abstained
    assert answer.citations == ()
    assert "don't hold the answer" in answer.text
    assert "Looked for: “Who painted the moon?”. Closest:" in answer.text
    assert [event for event in events if isinstance(event, Delta)] == []


def test_an_abstention_tells_what_was_looked_for_in_short(filled: Path) -> None:
    answer = engine(filled).ask(f"Who painted\nthe {'very ' * 60}old moon?")
    assert "Looked for: “Who painted the very very" in answer.text
    assert "very ver…”. Closest:" in answer.text


def test_a_trace_tells_the_whole_story(filled: Path) -> None:
    asked = engine(filled)
    answer = asked.ask(ASKED)
    trace = asked.spool.trace(answer.trace_id)
    assert (trace.name, trace.status, trace.input, trace.output) == ("ask", "ok", ASKED, answer.text)
    assert trace.attributes["config_hash"] == asked.settings.config_hash()
    steps = {step.name: step for step in trace.steps}
    assert list(steps) == [
        "retrieve",
        "embed",
        "context",
        "prior",
        "propose",
        "confirm",
        "weigh",
        "generate",
        "verify",
        "alone",
        "look",
    ]
    assert [read["marker"] for read in steps["context"].attributes["passages"]] == [p.marker for p in answer.passages]
    assert steps["confirm"].attributes["output"] == "Yes"
    assert [hit["chunk_id"] for hit in steps["retrieve"].attributes["hits"]] == [h.chunk.id for h in answer.hits]
    call = steps["generate"].attributes
    assert (call["model"], call["resolved_model"], call["prompt_id"]) == ("scripted:quote", "scripted:quote", "answer")
    assert ASKED in call["messages"][-1]["content"]
    assert steps["verify"].attributes["supported_share"] == 1.0


def test_a_follow_up_is_searched_with_the_question_before(filled: Path) -> None:
    asked = engine(filled)
    history = [Turn(question="What about carrying over leave?", answer="Up to 5 days [1].")]
    answer = asked.ask("Until which date of the next year?", history=history)
    assert "31 March" in answer.text
    rewrite = latest(asked).steps[0]
    assert (rewrite.name, rewrite.attributes["rule"]) == ("rewrite", "rule:previous-question")
    assert rewrite.attributes["query"] == "What about carrying over leave? Until which date of the next year?"


def test_a_model_can_rewrite_the_follow_up(filled: Path) -> None:
    script(filled, {"match": "Last question", "reply": "Which days may be carried over?"})
    asked = engine(filled, roles={"rewrite": "scripted:script.json"})
    answer = asked.ask("And those?", history=[Turn(question="leave", answer="x")])
    trace = latest(asked)
    assert trace.steps[0].attributes["output"] == "Which days may be carried over?"
    assert trace.steps[1].attributes["query"] == "Which days may be carried over?"
    assert answer.models["rewrite"] == "scripted:script.json"
    assert answer.usage.prompt > trace.steps[0].attributes["usage"]["prompt"] > 0


def test_what_the_model_invents_is_told(filled: Path) -> None:
    told = script(filled, {"match": "", "reply": "Employees have 45 days of annual leave [1]."})
    answer = engine(filled, roles=told, verify={"abstain_unsupported": False}).ask(ASKED)
    assert not answer.verdict.supported
    assert "45" in answer.verdict.claims[0].reason
    assert answer.citations == ()


def test_an_unsupported_answer_becomes_an_abstention(filled: Path) -> None:
    told = script(filled, {"match": "", "reply": "Employees have 45 days of annual leave [1]."})
    answer = engine(filled, roles=told).ask(ASKED)
    assert answer.abstained
    assert "45" not in answer.text


def test_what_a_passage_contradicts_is_withheld_and_a_repaired_citation_is_in_the_trace(filled: Path) -> None:
    told = script(filled, {"match": "", "reply": "Employees have 31 working days of annual leave [1]."})
    assert engine(filled, roles=told).ask(ASKED).abstained
    asked = engine(filled, roles=told, verify={"abstain_unsupported": False})
    (claim,) = asked.ask(ASKED).verdict.claims
    assert (claim.support, claim.cited) == ("contradicted", (1,))
    (noted,) = next(step for step in latest(asked).steps if step.name == "verify").attributes["claims"]
    assert (noted["support"], list(noted["cited"])) == ("contradicted", [1])


def test_an_answer_is_for_those_who_may_read_what_was_said_before(filled: Path) -> None:
    earlier = Turn(question="Who?", answer="The board.", readers=(("group:board",),))
    *_, answer = engine(filled).stream(ASKED, history=[earlier])
    assert isinstance(answer, Answer)
    assert answer.readers == (("group:board",), ("everyone",))


def test_a_model_that_fails_leaves_its_trace(filled: Path) -> None:
    asked = engine(filled, roles=script(filled, {"match": "", "error": "out of memory"}))
    with pytest.raises(ModelError, match="out of memory"):
        asked.ask(ASKED)
    trace = latest(asked)
    assert (trace.status, trace.steps[-1].name) == ("failed", "prior")
    assert "out of memory" in str(trace.output)
    assert "ModelError" in str(trace.steps[-1].error)


def scripts(folder: Path, **entries: dict[str, Any]) -> dict[str, Any]:
    """A chain of scripted models for the answer, in this order; each says the same to everything but yes or no."""
    for name, entry in entries.items():
        said = [{"match": "Yes or No", "reply": "Yes"}, {"match": "", **entry}]
        (folder / f"{name}.json").write_text(json.dumps(said))
    return {"answer": tuple(f"scripted:{name}.json" for name in entries)}


def attempts(of: Engine, step: str) -> list[tuple[str, str]]:
    facts = next(found for found in latest(of).steps if found.name == step).attributes
    return [(attempt["model"], attempt["outcome"]) for attempt in facts["attempts"]]


def test_where_a_model_fails_the_next_answers_and_the_trace_tells(filled: Path) -> None:
    told = scripts(filled, a={"error": "down"}, b={"reply": "Employees have 30 working days of annual leave [1]."})
    asked = engine(filled, roles=told)
    answer = asked.ask(ASKED)
    assert answer.verdict.supported
    assert answer.models["answer"] == "scripted:b.json"
    assert attempts(asked, "prior") == [("scripted:a.json", "answered")]
    assert attempts(asked, "propose") == [("scripted:a.json", "failed"), ("scripted:b.json", "answered")]
    # Who failed once is not waited for again in the same question.
    for step in ("confirm", "generate"):
        assert attempts(asked, step) == [("scripted:b.json", "answered")]
    (proposing,) = (step for step in latest(asked).steps if step.name == "propose")
    assert "down" in proposing.attributes["attempts"][0]["reason"]


def test_an_answer_that_breaks_off_begins_anew_before_the_eyes(filled: Path) -> None:
    dying = {"reply": "Employees have 45 days", "error": "out of memory"}
    told = scripts(filled, a=dying, b={"reply": "Employees have 30 working days of annual leave [1]."})
    asked = engine(filled, roles=told, generate={"answerable_at": 0.0})
    events = list(asked.stream(ASKED))
    (at,) = (place for place, event in enumerate(events) if isinstance(event, Restart))
    before, after = events[:at], events[at:]
    assert "".join(e.text for e in before if isinstance(e, Delta)) == "Employees have 45 days"
    assert "".join(e.text for e in after if isinstance(e, Delta)).startswith("Employees have 30 working days")
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert "45" not in answer.text
    assert attempts(asked, "generate") == [("scripted:a.json", "broken"), ("scripted:b.json", "answered")]


def test_a_chain_that_fails_leaves_every_attempt_in_its_trace(filled: Path) -> None:
    told = scripts(filled, a={"error": "down"}, b={"reply": "Employees", "error": "out of memory"})
    asked = engine(filled, roles=told, generate={"answerable_at": 0.0})
    with pytest.raises(ModelError, match=r"scripted:a\.json: down, then scripted:b\.json: out of memory"):
        asked.ask(ASKED)
    assert latest(asked).status == "failed"
    assert attempts(asked, "generate") == [("scripted:a.json", "failed"), ("scripted:b.json", "broken")]


@pytest.mark.parametrize(
    ("budgets", "read"), [({}, 200), ({"a": 1000, "b": 60}, 60), ({"a": 60, "b": 1000}, 60), ({"b": 1000}, 200)]
)
def test_a_chain_reads_what_each_of_its_models_can(filled: Path, budgets: dict[str, int], read: int) -> None:
    told = scripts(filled, a={"error": "down"}, b={"reply": "Employees have 30 working days of annual leave [1]."})
    chosen = engine(filled, roles=told, generate={"answerable_at": 0.0}).settings
    limits = {f"scripted:{name}.json": CandidateSettings(budget_tokens=tokens) for name, tokens in budgets.items()}
    asked = Engine.from_settings(chosen.model_copy(update={"candidates": limits}))
    passages = asked.ask(ASKED).passages
    step = next(step for step in latest(asked).steps if step.name == "context")
    assert step.attributes["budget_tokens"] == read
    count = asked.searcher.index.embedder.count
    assert 0 < sum(count(passage.text) for passage in passages) <= read
    alike = engine(filled, context={"budget_tokens": read}).ask(ASKED)
    assert [passage.text for passage in passages] == [passage.text for passage in alike.passages]


def test_what_an_answer_cost_is_told_where_all_prices_are_known(filled: Path) -> None:
    assert engine(filled).ask(ASKED).cost is None
    prices = CandidateSettings(price_in=2, price_out=10)
    settings = load_settings(filled / "plumbline.toml").model_copy(update={"candidates": {"scripted:quote": prices}})
    asked = Engine.from_settings(settings)
    answer = asked.ask(ASKED)
    assert answer.cost == pytest.approx((answer.usage.prompt * 2 + answer.usage.completion * 10) / 1e6)
    trace = latest(asked)
    calls = [step.attributes["cost"] for step in trace.steps if step.kind == "generation"]
    assert len(calls) == 5
    assert trace.attributes["cost"] == answer.cost == pytest.approx(sum(calls))


def test_what_a_model_that_broke_off_cost_is_unknown_and_so_is_the_answer(filled: Path) -> None:
    told = scripts(filled, a={"reply": "Forty", "error": "gone"}, b={"reply": "Employees have 30 working days [1]."})
    asked = engine(filled, roles=told, generate={"answerable_at": 0.0})
    prices = {f"scripted:{name}.json": CandidateSettings(price_in=2, price_out=10) for name in "ab"}
    settings = asked.settings.model_copy(update={"candidates": prices})
    assert Engine.from_settings(settings).ask(ASKED).cost is None
    trace = latest(asked)
    (call,) = (step for step in trace.steps if step.kind == "generation")
    assert (trace.attributes["cost"], call.attributes["cost"]) == (None, None)
    broken, answered = call.attributes["attempts"]
    assert broken["cost"] is None
    assert answered["cost"] > 0


def test_an_abandoned_stream_leaves_its_trace(filled: Path) -> None:
    asked = engine(filled)
    stream = asked.stream(ASKED)
    while not isinstance(next(stream), Delta):
        pass
    stream.close()
    trace = latest(asked)
    assert trace.status == "abandoned"
    assert trace.steps[-1].error == "abandoned"


def test_a_question_that_is_refused_leaves_no_trace(filled: Path) -> None:
    asked = engine(filled)
    before = asked.spool.traces()
    for question in ("", "x" * 100_000):
        with pytest.raises(InputError):
            asked.ask(question)
    assert asked.spool.traces() == before


def test_an_empty_index_is_told_and_traced(project: Path) -> None:
    asked = engine(project)
    with pytest.raises(InputError, match="plumb ingest PATH"):
        asked.ask(ASKED)
    assert latest(asked).status == "failed"


def test_a_trace_may_be_kept_without_its_texts(filled: Path) -> None:
    asked = engine(filled, trace={"content": "none"})
    answer = asked.ask(ASKED)
    kept = str(asked.spool.trace(answer.trace_id))
    assert "annual leave" not in kept
    assert "30 working days" not in kept
    assert "scripted:quote" in kept


def test_no_trace_is_kept_when_they_are_off(filled: Path) -> None:
    asked = engine(filled, trace={"enabled": False})
    before = len(asked.spool.traces())
    asked.ask(ASKED)
    assert len(asked.spool.traces()) == before


def test_a_disk_that_refuses_the_trace_costs_no_answer(filled: Path, caplog: pytest.LogCaptureFixture) -> None:
    for file in (filled / ".plumb").glob("traces.db*"):
        file.unlink()
    (filled / ".plumb" / "traces.db").mkdir()
    with caplog.at_level(logging.WARNING, logger="plumbline"):
        answer = engine(filled).ask(ASKED)
    assert answer.verdict.supported
    (record,) = caplog.records
    assert "the trace of this answer was not kept" in record.getMessage()


def test_what_is_said_lands_on_its_answer(filled: Path) -> None:
    asked = engine(filled)
    answer = asked.ask(ASKED)
    asked.rate(Feedback(trace_id=answer.trace_id, up=False, comment="too short"))
    asked.rate(Feedback(trace_id=answer.trace_id, up=True, comment="fine now"))
    (said,) = asked.spool.feedback(answer.trace_id)
    assert (said.up, said.comment) == (True, "fine now")
    with pytest.raises(InputError, match="no trace"):
        asked.rate(Feedback(trace_id="f" * 32, up=True))


def test_own_prompts_are_used_and_recorded(filled: Path) -> None:
    (filled / "prompts").mkdir()
    (filled / "prompts" / "answer.md").write_text(
        '+++\nid = "answer"\nversion = "own-3"\n+++\n# user\nMine.\n$passages\n$history\nQuestion: $question\n'
    )
    asked = engine(filled, generate={"prompts_dir": Path("prompts")})
    assert "30 working days" in asked.ask(ASKED).text
    call = next(step for step in latest(asked).steps if step.name == "generate").attributes
    assert call["prompt_version"] == "own-3"
    assert call["messages"][0]["content"].startswith("Mine.\n[1]")
    with pytest.raises(ConfigError, match="no folder"):
        engine(filled, generate={"prompts_dir": Path("nosuch")})


def test_the_context_stays_within_its_budget(filled: Path) -> None:
    asked = engine(filled, context={"budget_tokens": 50})
    answer = asked.ask(ASKED)
    assert sum(asked.searcher.index.embedder.count(passage.text) for passage in answer.passages) <= 50
    assert len(answer.passages) < len(answer.hits)


def test_whole_passages_are_read_where_the_settings_say_so(filled: Path) -> None:
    answer = engine(filled, context={"passages": "whole", "budget_tokens": 1000}).ask(ASKED)
    assert [passage.text for passage in answer.passages] == [hit.chunk.text for hit in answer.hits]


def test_a_model_that_sees_no_answer_is_not_asked_for_one(filled: Path) -> None:
    told = script(filled, {"match": "Yes or No", "reply": "No"}, {"match": "", "reply": "30 working days [1]."})
    answer = engine(filled, roles=told).ask(ASKED)
    assert answer.abstained
    unasked = engine(filled, roles=told, generate={"answerable_at": 0.0}).ask(ASKED)
    assert not unasked.abstained


def test_a_model_that_can_not_say_one_word_is_asked_for_the_answer(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = ScriptedLLM.stream

    def stream(self: ScriptedLLM, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        if sampling.max_tokens == 1:
            raise ModelError("max_tokens is too small", retryable=retryable)
        yield from answering(self, messages, sampling)

    monkeypatch.setattr(ScriptedLLM, "stream", stream)
    retryable = False
    assert "30 working days" in engine(filled).ask(ASKED).text
    retryable = True
    with pytest.raises(ModelError, match="too small"):
        engine(filled).ask(ASKED)


def test_with_nothing_to_read_no_model_is_asked(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.gather.focus", lambda *_, **__: ())
    answer = engine(filled, roles=script(filled, {"match": "", "error": "asked"})).ask(ASKED)
    assert answer.abstained
    assert answer.models == {"embed": "scripted:words"}


def test_threads_share_an_engine(filled: Path) -> None:
    asked, answers = engine(filled), list[Answer]()
    threads = [threading.Thread(target=lambda: answers.append(asked.ask(ASKED))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.trace_id for answer in answers}) == 4
    assert len({answer.text for answer in answers}) == 1


def test_another_settings_object_is_another_hash(filled: Path) -> None:
    plain, other = engine(filled), engine(filled, context={"budget_tokens": 60})
    assert isinstance(plain.settings, Settings)
    plain.ask(ASKED)
    first = latest(plain).attributes["config_hash"]
    other.ask(ASKED)
    assert latest(other).attributes["config_hash"] != first
