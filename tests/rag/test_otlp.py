"""A second destination: what any OTLP backend gets to see, and two destinations that know nothing of each other."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langfuse_server import OTLP_PATH, OTLP_TOKEN, PUBLIC_KEY, SECRET_KEY, FakeLangfuse, Observed, running
from observed import STARTED_AT, TRACE_ID, ask_trace
from pydantic import ValidationError

from rag.errors import DeliveryError
from rag.observe import ship as shipping
from rag.observe.otlp import Otlp
from rag.observe.ship import ship
from rag.observe.spool import Spool, open_spool
from rag.sections import LangfuseServer, OtlpEndpoint, Tracing
from rag.settings import Settings, shown
from rag.types import Feedback, Trace


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", PUBLIC_KEY)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("OTLP_AUTHORIZATION", f"Bearer {OTLP_TOKEN}")


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with running() as server:
        yield server


@pytest.fixture
def otlp() -> Iterator[FakeLangfuse]:
    with running() as server:
        yield server


def endpoint(fake: FakeLangfuse, **changes: Any) -> OtlpEndpoint:
    given = {"endpoint": f"{fake.url}{OTLP_PATH}", "headers_env": {"Authorization": "OTLP_AUTHORIZATION"}}
    return OtlpEndpoint(**{**given, "timeout_s": 0.5, **changes})


@pytest.fixture
def settings(langfuse: FakeLangfuse, otlp: FakeLangfuse, tmp_path: Path) -> Settings:
    host = LangfuseServer(host=langfuse.url, timeout_s=0.5)
    return Settings(root=tmp_path, langfuse=host, otlp=endpoint(otlp))


@pytest.fixture
def spool(settings: Settings) -> Spool:
    return open_spool(settings)


def send(fake: FakeLangfuse, trace: Trace, **changes: Any) -> dict[str, Observed]:
    with Otlp(endpoint(fake, **changes)) as server:
        server.send_trace(trace)
    return {span.name: span for span in fake.spans}


def add(spool: Spool, *numbers: int) -> None:
    for number in numbers:
        spool.add_trace(ask_trace(f"{number:032x}", started_at=STARTED_AT + number))


def counts(spool: Spool) -> dict[str, tuple[int, int, int]]:
    return {one.destination: (one.waiting, one.delivered, one.refused) for one in spool.progress()}


# What a backend sees.


def test_the_same_spans_with_the_conventions_names(otlp: FakeLangfuse) -> None:
    spans = send(otlp, ask_trace())
    root = spans["ask"]
    assert {span.trace_id for span in spans.values()} == {TRACE_ID}
    assert spans["retrieve"].parent_id == spans["generate"].parent_id == root.id
    assert spans["embed"].parent_id == spans["retrieve"].id
    assert {span.attributes["gen_ai.conversation.id"] for span in spans.values()} == {"session-7"}
    assert not [name for span in spans.values() for name in span.attributes if name.startswith("langfuse.")]
    assert root.attributes["gen_ai.operation.name"] == "invoke_workflow"
    assert root.attributes["gen_ai.agent.name"] == "ask"
    asked = [{"role": "user", "parts": [{"type": "text", "content": "How many days of leave?"}]}]
    assert json.loads(root.attributes["gen_ai.input.messages"]) == asked
    assert root.attributes["plumbline.abstained"] is False
    assert root.attributes["plumbline.supported_share"] == 1.0
    assert json.loads(root.attributes["plumbline.citations"])[0]["uri"] == "leave.md"


def test_a_generation_tells_who_was_asked_and_what_it_took(otlp: FakeLangfuse) -> None:
    facts = dict(send(otlp, ask_trace())["generate"].attributes)
    messages, output = (json.loads(facts.pop(f"gen_ai.{name}.messages")) for name in ("input", "output"))
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[0]["parts"] == [{"type": "text", "content": "Answer. " * 20}]
    said = [{"type": "text", "content": "You have 30 days [1]."}]
    assert output == [{"role": "assistant", "parts": said, "finish_reason": "stop"}]
    assert {name: fact for name, fact in facts.items() if name.startswith("gen_ai.")} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "local",
        "gen_ai.request.model": "qwen2.5-coder-1.5b",
        "gen_ai.response.model": "qwen2.5-coder-1.5b-q4",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.max_tokens": 300,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 1.5,
        "gen_ai.usage.input_tokens": 400,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 150,
        "gen_ai.prompt.name": "answer",
        "gen_ai.conversation.id": "session-7",
    }
    assert (facts["plumbline.cost"], facts["plumbline.fingerprint"]) == (0.0021, "fp-1")


def test_a_search_tells_its_query_and_documents(otlp: FakeLangfuse) -> None:
    spans = send(otlp, ask_trace())
    facts = spans["retrieve"].attributes
    assert (facts["gen_ai.operation.name"], facts["gen_ai.retrieval.query.text"]) == ("retrieval", "leave days")
    assert facts["gen_ai.data_source.id"] == "plumbline"
    documents = json.loads(facts["gen_ai.retrieval.documents"])
    assert [document["id"] for document in documents] == [f"chunk-{number}" for number in range(8)]
    assert documents[0]["score"] == 0.9
    assert documents[0]["content"].startswith("The secret passage")
    assert spans["embed"].attributes["gen_ai.operation.name"] == "embeddings"


def test_failures_have_a_type_and_odd_values_arrive(otlp: FakeLangfuse) -> None:
    trace = ask_trace(attributes={"nan": float("nan"), "large": 2**80, "none": None, "odd": "\ud800"})
    failed = replace(trace.steps[2], error="ModelError: the server failed")
    spans = send(otlp, replace(trace, status="failed", output="it failed", steps=(failed,)))
    assert (spans["generate"].error, spans["generate"].attributes["error.type"]) == (failed.error, "ModelError")
    root = spans["ask"].attributes
    assert (root["plumbline.nan"], root["plumbline.large"], root["plumbline.odd"]) == ('"NaN"', str(2**80), "?")
    assert "plumbline.none" not in root


def test_texts_that_not_everyone_may_read_stay_here(otlp: FakeLangfuse) -> None:
    trace = ask_trace()
    hits = [{**hit, "readers": ["group:hr"]} for hit in trace.steps[1].attributes["hits"]]
    secret = replace(trace, steps=(replace(trace.steps[1], attributes={"query": "pay", "hits": hits}),))
    told = str(send(otlp, secret)["retrieve"].attributes)
    assert "secret passage" not in told
    assert "pay" not in told
    assert "secret passage" in str(send(otlp, secret, restricted="full")["retrieve"].attributes)


def test_headers_come_from_variables_and_are_never_shown(
    otlp: FakeLangfuse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    otlp.behaviour = 500
    with Otlp(endpoint(otlp)) as server, pytest.raises(DeliveryError, match="500: status 500") as raised:
        server.check()
    assert OTLP_TOKEN not in f"{raised.value} {server.peer}"
    assert shown(settings)["otlp"]["headers_env"] == {"Authorization": "OTLP_AUTHORIZATION (set)"}
    for value, said in (("", "OTLP_AUTHORIZATION is not set"), ("Bearer\x01 x", "holds what is no header")):
        monkeypatch.setenv("OTLP_AUTHORIZATION", value)
        with pytest.raises(DeliveryError, match=said):
            Otlp(endpoint(otlp))
    with pytest.raises(ValidationError, match="pattern"):
        endpoint(otlp, headers_env={"Authorization": "Bearer sk-123"})


def test_an_endpoint_that_is_none_says_so(otlp: FakeLangfuse) -> None:
    with Otlp(endpoint(otlp, endpoint=otlp.url, headers_env={})) as server, pytest.raises(DeliveryError) as raised:
        server.check()
    assert not raised.value.permanent
    with Otlp(endpoint(otlp)) as server:
        server.check()
    assert otlp.spans == []


# Two destinations.


def test_each_destination_gets_all_and_ratings_go_to_langfuse(
    langfuse: FakeLangfuse, otlp: FakeLangfuse, spool: Spool, settings: Settings
) -> None:
    add(spool, 1, 2)
    spool.add_feedback(Feedback(trace_id=f"{1:032x}", up=True))
    assert [(one.destination, one.delivered) for one in ship(spool, settings)] == [("langfuse", 3), ("otlp", 2)]
    assert langfuse.traces() == otlp.traces() == [f"{1:032x}", f"{2:032x}"]
    assert (len(langfuse.scores), len(otlp.scores)) == (1, 0)


@pytest.mark.parametrize("behaviour", ["cut", "half", "hang", "drip", "page", 401, 404, 415, 429, 500, 503])
def test_one_that_fails_holds_up_no_other(
    langfuse: FakeLangfuse, otlp: FakeLangfuse, spool: Spool, settings: Settings, behaviour: Any
) -> None:
    add(spool, 1, 2)
    otlp.behaviour = behaviour
    first, second = ship(spool, settings)
    assert (first.delivered, first.reason) == (2, "")
    assert (second.delivered, second.waiting) == (0, 2)
    assert len(otlp.requests) == 1
    assert OTLP_TOKEN not in second.reason
    assert counts(spool) == {"langfuse": (0, 2, 0), "otlp": (2, 0, 0)}
    assert {row.delivery for row in spool.traces()} == {"pending"}
    otlp.behaviour = "ok"
    ship(spool, settings)
    assert counts(spool) == {"langfuse": (0, 2, 0), "otlp": (0, 2, 0)}
    assert len(langfuse.traces()) == 2


def test_one_that_refuses_an_item_is_alone_in_that(otlp: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    add(spool, 1, 2, 3)
    otlp.refuse_trace = f"{2:032x}"
    ship(spool, settings)
    assert counts(spool) == {"langfuse": (0, 3, 0), "otlp": (0, 2, 1)}
    assert [row.delivery for row in spool.traces()] == ["delivered", "failed", "delivered"]
    (reason,) = spool.progress()[1].reasons
    assert "answered 413: too large" in reason


def test_a_destination_gets_what_comes_once_it_is_set(otlp: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    before = Spool(spool.path, destinations=["langfuse"])
    add(before, 1)
    add(spool, 2)
    before.add_feedback(Feedback(trace_id=f"{2:032x}", up=True))
    ship(spool, settings)
    assert otlp.traces() == [f"{2:032x}"]
    assert counts(spool) == {"langfuse": (0, 3, 0), "otlp": (0, 1, 0)}


def test_what_waits_anywhere_is_kept(spool: Spool) -> None:
    kept = Spool(spool.path, destinations=["langfuse", "otlp"], rules=Tracing(keep_days=1))
    kept.add_trace(ask_trace(started_at=time.time() - 3 * 86_400, ended_at=time.time()))
    kept.delivered(kept.pending("langfuse", limit=1)[0])
    assert kept.prune() == 0
    kept.delivered(kept.pending("otlp", limit=1)[0])
    assert kept.prune() == 1
    assert counts(kept) == {"langfuse": (0, 0, 0), "otlp": (0, 0, 0)}


# The breaker.


def test_who_failed_is_left_alone_by_every_process(otlp: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    add(spool, 1)
    otlp.behaviour = 500
    ship(spool, settings)
    assert spool.breaker("langfuse").failures == 0
    another = open_spool(settings)
    assert another.breaker("otlp").is_open
    (_, second) = ship(another, settings, only_due=True)
    assert "left alone" in second.reason
    assert len(otlp.requests) == 1
    ship(another, settings)  # somebody asks for it
    assert len(otlp.requests) == 2
    first_s, second_s = shipping.REST_S, 2 * shipping.REST_S
    breaker = spool.breaker("otlp")
    assert breaker.failures == 2
    assert first_s < breaker.next_try_at - breaker.failed_at <= second_s


@pytest.mark.parametrize(
    ("behaviour", "waits_s"), [((429, "120"), 120), ((503, "90"), 90), ((500, "90"), 3), ((429, "99999999"), 3600)]
)
def test_a_server_may_ask_to_be_left_alone(
    otlp: FakeLangfuse, spool: Spool, settings: Settings, behaviour: tuple[int, str], waits_s: int
) -> None:
    add(spool, 1)
    otlp.behaviour, otlp.retry_after = behaviour
    ship(spool, settings)
    breaker = spool.breaker("otlp")
    assert breaker.next_try_at - breaker.failed_at == pytest.approx(waits_s, abs=0.01)


def test_langfuse_may_ask_so_for_ratings_too(langfuse: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    add(spool, 1)
    ship(spool, settings)
    spool.add_feedback(Feedback(trace_id=f"{1:032x}", up=True))
    langfuse.behaviour, langfuse.retry_after = 429, "120"
    ship(spool, settings)
    breaker = spool.breaker("langfuse")
    assert breaker.next_try_at - breaker.failed_at == pytest.approx(120, abs=0.01)


def test_a_clock_that_is_set_back_opens_no_breaker_for_long(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.failed("otlp", "down", wait_s=60)
    earlier_s = time.time() - 86_400
    monkeypatch.setattr("rag.observe.breakers.time.time", lambda: earlier_s)
    assert not spool.breaker("otlp").is_open
