"""What a Langfuse server gets to see, and how its refusals are read: over real HTTP to a stand-in server."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from langfuse_server import PUBLIC_KEY, SECRET_KEY, FakeLangfuse, Observed, running
from observed import STARTED_AT, TRACE_ID, ask_trace

from rag.errors import DeliveryError
from rag.observe.account import Account
from rag.observe.langfuse import Langfuse
from rag.observe.scores import scores
from rag.types import Feedback, Step, Trace


@pytest.fixture
def fake() -> Iterator[FakeLangfuse]:
    with running() as server:
        yield server


def reach(fake: FakeLangfuse, *, timeout_s: float = 5, secret_key: str = SECRET_KEY) -> Langfuse:
    return Langfuse(Account(host=fake.url, public_key=PUBLIC_KEY, secret_key=secret_key, timeout_s=timeout_s))


def send(fake: FakeLangfuse, trace: Trace) -> dict[str, Observed]:
    with reach(fake) as langfuse:
        langfuse.send_trace(trace)
    return {span.name: span for span in fake.spans}


def fact(span: Observed, name: str) -> Any:
    return span.attributes.get(f"langfuse.observation.{name}")


def facts(span: Observed, name: str) -> Any:
    return json.loads(fact(span, name))


def test_the_steps_arrive_nested_under_one_root(fake: FakeLangfuse) -> None:
    spans = send(fake, ask_trace())
    root = spans["ask"]
    assert {span.trace_id for span in spans.values()} == {TRACE_ID}
    assert root.parent_id == ""
    assert spans["retrieve"].parent_id == root.id
    assert spans["embed"].parent_id == spans["retrieve"].id == "00000000000000a1"
    assert spans["verify"].parent_id == root.id  # its parent was never recorded
    assert len({span.id for span in spans.values()}) == 5


def test_types_and_times(fake: FakeLangfuse) -> None:
    spans = send(fake, ask_trace())
    assert {name: fact(span, "type") for name, span in spans.items()} == {
        "ask": "chain",
        "embed": "embedding",
        "retrieve": "retriever",
        "generate": "generation",
        "verify": "evaluator",
    }
    assert (spans["ask"].start_ns, spans["ask"].end_ns) == (1_790_000_000_250_000_000, 1_790_000_004_750_000_000)
    assert spans["generate"].start_ns == 1_790_000_000_500_000_000
    assert fact(spans["generate"], "completion_start_time") == "2026-09-21T14:13:22.000Z"


def test_a_generation_tells_its_model_and_usage(fake: FakeLangfuse) -> None:
    generate = send(fake, ask_trace())["generate"]
    assert fact(generate, "model.name") == "qwen2.5-coder-1.5b-q4"
    assert facts(generate, "model.parameters") == {"temperature": 0.0, "max_tokens": 300}
    assert facts(generate, "usage_details") == {"input": 250, "input_cached_tokens": 150, "output": 20, "total": 420}
    assert facts(generate, "cost_details") == {"total": 0.0021}
    assert facts(generate, "input")[0]["role"] == "system"
    assert fact(generate, "output") == "You have 30 days [1]."
    assert (fact(generate, "prompt.name"), fact(generate, "prompt.version")) == ("answer", 3)
    metadata = facts(generate, "metadata")
    assert metadata["model"] == "local:qwen2.5-coder-1.5b"
    assert (metadata["fingerprint"], metadata["finish_reason"]) == ("fp-1", "stop")
    assert [(each["model"], each["outcome"]) for each in metadata["attempts"]] == [
        ("openai:large", "slow"),
        ("local:qwen2.5-coder-1.5b", "answered"),
    ]
    assert not {"messages", "output", "usage", "cost"} & metadata.keys()


def test_an_unknown_cost_is_left_to_langfuse(fake: FakeLangfuse) -> None:
    generate = ask_trace().steps[2]
    unpriced = replace(generate, attributes={**generate.attributes, "cost": None})
    assert fact(send(fake, ask_trace(steps=(unpriced,)))["generate"], "cost_details") is None


def test_the_other_kinds_show_what_went_in_and_out(fake: FakeLangfuse) -> None:
    spans = send(fake, ask_trace())
    assert fact(spans["retrieve"], "input") == "leave days"
    assert facts(spans["retrieve"], "output")[0]["scores"] == {"dense": 0.8, "lexical": 11.5}
    assert fact(spans["embed"], "model.name") == "local:all-minilm-l6-v2"
    assert facts(spans["embed"], "usage_details")["input"] == 4
    assert facts(spans["verify"], "output")["supported_share"] == 1.0
    assert facts(spans["verify"], "metadata") == {"method": "words"}


def test_the_trace_is_described_on_root_and_findable_by_all(fake: FakeLangfuse) -> None:
    spans = send(fake, ask_trace())
    root = spans["ask"]
    assert fact(root, "input") == "How many days of leave?"
    assert fact(root, "output") == "You have 30 days [1].\nAsk your manager first."
    metadata = json.loads(root.attributes["langfuse.trace.metadata"])
    assert metadata["config_hash"] == "c0ffee"
    assert "session_id" not in metadata
    for span in spans.values():
        assert span.attributes["langfuse.trace.name"] == "ask"
        assert span.attributes["session.id"] == "session-7"
        assert span.attributes["langfuse.release"] == "0.1.0"
        assert span.attributes["langfuse.trace.tags"] == ["ask"]


def test_failures_show_where_they_happened(fake: FakeLangfuse) -> None:
    broken = replace(ask_trace().steps[2], error="ModelError: the server is down", attributes={})
    output = "the server is down; start it"
    spans = send(fake, ask_trace(status="failed", output=output, attributes={}, steps=(broken,)))
    assert (fact(spans["generate"], "level"), spans["generate"].error) == ("ERROR", "ModelError: the server is down")
    assert (fact(spans["ask"], "level"), fact(spans["ask"], "status_message")) == ("ERROR", output)
    assert fact(spans["generate"], "usage_details") is None


def test_an_abandoned_answer_is_a_warning(fake: FakeLangfuse) -> None:
    left = replace(ask_trace().steps[2], error="abandoned")
    spans = send(fake, ask_trace(status="abandoned", output=None, attributes={"abstained": True}, steps=(left,)))
    assert {fact(span, "level") for span in spans.values()} == {"WARNING"}
    assert spans["ask"].error == ""
    assert spans["ask"].attributes["langfuse.trace.tags"] == ["ask", "abstained"]


def test_odd_values_arrive_readable(fake: FakeLangfuse) -> None:
    step = Step(
        id="00000000000000b1",
        parent_id=None,
        name="odd \ud800",
        kind="generation",
        started_at=STARTED_AT,
        ended_at=STARTED_AT - 1,
        attributes={"score": math.nan, "text": "\ud800", "usage": None, "first_token_ms": None, "prompt_version": "v2"},
    )
    span = send(fake, ask_trace(name="ingest", input={"paths": ["a"]}, steps=(step,)))["odd ?"]
    assert span.start_ns == span.end_ns
    assert facts(span, "metadata")["score"] == "NaN"
    assert fact(span, "prompt.version") is None
    assert fact(fake.span("ingest"), "type") == "span"
    assert facts(fake.span("ingest"), "input") == {"paths": ["a"]}


def test_the_request_is_langfuses_way_in(fake: FakeLangfuse) -> None:
    send(fake, ask_trace())
    ((path, headers),) = fake.requests
    assert path == "/api/public/otel/v1/traces"
    assert headers["x-langfuse-ingestion-version"] == "4"
    assert headers["content-type"] == "application/x-protobuf"


def sent(fake: FakeLangfuse, *said: Feedback, has_texts: bool = True) -> list[dict[str, Any]]:
    with reach(fake) as langfuse:
        for one in said:
            langfuse.send_scores(scores([one], has_texts=has_texts))
    return fake.scores


def test_a_thumb_is_a_boolean_score_that_a_later_one_replaces(fake: FakeLangfuse) -> None:
    up = Feedback(trace_id=TRACE_ID, up=True, created_at=STARTED_AT)
    first, second = sent(fake, up, replace(up, up=False, comment="wrong page"))
    assert (first["traceId"], first["name"], first["dataType"]) == (TRACE_ID, "user-feedback", "BOOLEAN")
    assert (first["value"], second["value"], second["comment"]) == (1.0, 0.0, "wrong page")
    assert (first["id"], first["timestamp"]) == (second["id"], second["timestamp"])


def test_each_thing_said_is_a_score_of_its_own_type(fake: FakeLangfuse) -> None:
    said = Feedback(
        trace_id=TRACE_ID, reasons=("wrong", "outdated"), comment="no", correction="30 days.", citations={2: False}
    )
    found = [(one["name"], one["dataType"], one["value"]) for one in sent(fake, said)]
    assert found == [
        ("user-feedback-comment", "TEXT", "no"),
        ("user-feedback-reason", "CATEGORICAL", "wrong"),
        ("user-feedback-reason", "CATEGORICAL", "outdated"),
        ("citation-2", "BOOLEAN", 0.0),
        ("output", "CORRECTION", "30 days."),
    ]
    assert len({one["id"] for one in fake.scores}) == len(found)


def test_two_people_have_scores_of_their_own(fake: FakeLangfuse) -> None:
    said = Feedback(trace_id=TRACE_ID, user="ada", up=True)
    first, second = sent(fake, said, replace(said, user="bob"))
    assert first["id"] != second["id"]
    assert first["metadata"] == {"user": "ada"}


def test_texts_of_what_not_everyone_may_read_stay(fake: FakeLangfuse) -> None:
    said = Feedback(trace_id=TRACE_ID, up=False, comment="it is 30", correction="30 days")
    (only,) = sent(fake, said, replace(said, up=None), has_texts=False)
    assert (only["name"], only.get("comment")) == ("user-feedback", None)


def failure(fake: FakeLangfuse, *, kind: str = "trace", timeout_s: float = 5) -> DeliveryError:
    rating = scores([Feedback(trace_id=TRACE_ID, up=True, created_at=1)], has_texts=True)
    with reach(fake, timeout_s=timeout_s) as langfuse:
        calls = {"trace": lambda: langfuse.send_trace(ask_trace()), "score": lambda: langfuse.send_scores(rating)}
        with pytest.raises(DeliveryError) as raised:
            calls[kind]()
    shown = f"{raised.value} {raised.value!r}"
    assert SECRET_KEY not in shown
    assert PUBLIC_KEY not in shown
    assert len(shown) < 1000
    assert "\n" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize("kind", ["trace", "score"])
@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        *((status, True) for status in (400, 413, 422)),
        *((status, False) for status in (401, 403, 404, 408, 429, 500, 503)),
    ],
)
def test_a_status_tells_whether_to_try_again(fake: FakeLangfuse, kind: str, status: int, permanent: bool) -> None:
    fake.behaviour = status
    error = failure(fake, kind=kind)
    assert error.permanent is permanent
    assert f"answered {status}: status {status} for ***:***" in error.seen
    assert len(fake.requests) == 1


@pytest.mark.parametrize("kind", ["trace", "score"])
@pytest.mark.parametrize("behaviour", ["page", "redirect", "huge", "cut"])
def test_what_is_not_langfuse_never_counts_as_delivered(fake: FakeLangfuse, kind: str, behaviour: Any) -> None:
    fake.behaviour = behaviour
    error = failure(fake, kind=kind)
    assert not error.permanent
    assert "langfuse.host" in error.remedy
    assert len(fake.requests) == 1


@pytest.mark.parametrize("kind", ["trace", "score"])
@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_a_server_that_never_ends_is_left_in_time(fake: FakeLangfuse, kind: str, behaviour: Any) -> None:
    fake.behaviour = behaviour
    started = time.monotonic()
    assert not failure(fake, kind=kind, timeout_s=0.4).permanent
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("kind", "behaviour", "said"),
    [
        ("trace", "partial", "rejected 1 spans: no such project"),
        ("trace", "partial-protobuf", "rejected 2 spans: too old"),
        ("score", "partial", "rejected the rating: no such score"),
    ],
)
def test_a_partial_success_is_a_refusal(fake: FakeLangfuse, kind: str, behaviour: Any, said: str) -> None:
    fake.behaviour = behaviour
    error = failure(fake, kind=kind)
    assert error.permanent
    assert said in error.seen


@pytest.mark.parametrize("host", ["http://127.0.0.1:1", "no-scheme", "http://user:sk-lf-very-secret@127.0.0.1:1"])
def test_an_unreachable_host_may_come_back(host: str) -> None:
    for kind in ("trace", "score"):
        error = failure(FakeLangfuse(url=host), kind=kind)
        assert not error.permanent
        assert "can't be reached" in error.seen


def test_wrong_keys_are_told_without_the_keys(fake: FakeLangfuse) -> None:
    with reach(fake, secret_key="sk-lf-wrong") as langfuse, pytest.raises(DeliveryError, match="401") as raised:
        langfuse.send_trace(ask_trace())
    assert "sk-lf-wrong" not in str(raised.value)
    assert "LANGFUSE" not in str(raised.value)
    assert "secret_key_env" in raised.value.remedy
    assert "sk-lf" not in repr(Account(host="h", public_key=PUBLIC_KEY, secret_key="sk-lf-wrong", timeout_s=1))


def test_a_trace_that_is_no_trace_is_refused_here() -> None:
    with reach(FakeLangfuse(url="http://127.0.0.1:1")) as langfuse:
        for trace in (ask_trace("not hex"), ask_trace(started_at=float("nan")), ask_trace(attributes=None)):
            with pytest.raises(DeliveryError, match="can't be written as spans") as raised:
                langfuse.send_trace(trace)
            assert raised.value.permanent
