"""A trace as Langfuse reads it: OpenTelemetry spans with Langfuse's attribute names.

What is read of `Trace.attributes`: `session_id`, `user_id`, `experiment` and `expected` (`experiment.py`),
`code_version` (Langfuse's release), `abstained` (a tag); all but the first four are also shown as the trace's metadata
(`config_hash`, `models`, `usage`, `citations`, `verdict`, `supported_share`, `index`, `timings_ms` and whatever else
there is).

What is read of `Step.attributes`, by the step's kind; everything else becomes the observation's metadata:

- generation: `messages` [{role, content}], `output` text, `model` as requested, `resolved_model`, `parameters` {},
  `usage` {prompt, completion, cached}, `cost`, `first_token_ms`, `prompt_id`, `prompt_version`; `attempts` [{model,
  outcome, reason, tries, first_token_ms, total_ms}] go to the metadata
- embedding: `model`, `resolved_model`, `usage`
- retriever: `query`, `dense_weight`, `rerank_failure`, `hits` [{chunk_id, uri, page, headings, text, score, scores}]
- evaluator: `claims`, `supported_share`

The messages are built without a tracer: the times and ids are given, and a tracer's spans can't be written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from langfuse import LangfuseOtelSpanAttributes as Name
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from rag.observe import experiment
from rag.observe.codec import utf8
from rag.prompts import SERVED
from rag.types import Step, Trace
from rag.version import code_version

Attributes = Mapping[str, str | int | list[str] | None]

# What has its own place in an observation and is not repeated in its metadata.
PLACED: Mapping[str, frozenset[str]] = {
    "generation": frozenset(("messages", "output", "parameters", "usage", "cost")),
    "embedding": frozenset(("usage",)),
    "retriever": frozenset(("query", "hits")),
    "evaluator": frozenset(("claims", "supported_share")),
}
# Facts with a place of their own, too.
ELSEWHERE = ("session_id", "user_id", "experiment", "expected")
ROOT_TYPES = {"ask": "chain", "search": "chain"}


def export_request(trace: Trace) -> ExportTraceServiceRequest:
    """The spans of one trace: a root for the whole, under it one span a step, nested as the steps are.

    Ids follow from the trace alone, so sending it twice gives one trace. Raises ValueError for ids that aren't hex.
    """
    root = _root_step(trace)
    known = {step.id for step in trace.steps}
    spans = [_span(trace, root, None, _root(trace))]
    for step in trace.steps:
        parent = step.parent_id if step.parent_id in known else root.id
        spans.append(_span(trace, step, parent, _observation(step)))
    scope = ScopeSpans(scope=InstrumentationScope(name="plumbline", version=code_version()), spans=spans)
    resource = Resource(attributes=_pairs({"service.name": "plumbline"}))
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope])])


def _root_step(trace: Trace) -> Step:
    """The whole trace as a step, with an id of its own that follows from the trace's."""
    return Step(
        id=experiment.root_id(trace.id),
        parent_id=None,
        name=trace.name,
        kind="chain",
        started_at=trace.started_at,
        ended_at=trace.ended_at,
        error=_root_error(trace),
    )


def _root_error(trace: Trace) -> str | None:
    if trace.status == "failed":
        return _shown(trace.output) or next((step.error for step in reversed(trace.steps) if step.error), "failed")
    return "abandoned" if trace.status == "abandoned" else None


def _span(trace: Trace, step: Step, parent: str | None, attributes: Attributes) -> Span:
    error = step.error
    return Span(
        trace_id=bytes.fromhex(trace.id),
        span_id=bytes.fromhex(step.id),
        parent_span_id=bytes.fromhex(parent) if parent else b"",
        name=utf8(step.name),
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=_nano(step.started_at),
        end_time_unix_nano=_nano(max(step.started_at, step.ended_at)),
        attributes=_pairs({**_of_every_span(trace), **attributes, **_level(error)}),
        status=Status(code=Status.STATUS_CODE_ERROR, message=utf8(error or "")) if _is_error(error) else Status(),
    )


def _of_every_span(trace: Trace) -> Attributes:
    """What Langfuse wants repeated: it finds a trace by the attributes of any of its observations."""
    facts = trace.attributes
    return {
        Name.TRACE_NAME: trace.name,
        Name.TRACE_TAGS: [trace.name, *(["abstained"] if facts.get("abstained") else [])],
        Name.TRACE_SESSION_ID: _string(facts.get("session_id")),
        Name.TRACE_USER_ID: _string(facts.get("user_id")),
        Name.RELEASE: _string(facts.get("code_version")),
        **experiment.of_every_span(trace.id, facts),
    }


def _root(trace: Trace) -> Attributes:
    facts = {name: fact for name, fact in trace.attributes.items() if name not in ELSEWHERE}
    return {
        Name.OBSERVATION_TYPE: ROOT_TYPES.get(trace.name, "span"),
        Name.OBSERVATION_INPUT: _shown(trace.input),
        Name.OBSERVATION_OUTPUT: _shown(trace.output),
        Name.TRACE_METADATA: _json(facts),
        **experiment.of_root(trace.attributes),
    }


def _observation(step: Step) -> Attributes:
    rest = {name: fact for name, fact in step.attributes.items() if name not in PLACED.get(step.kind, ())}
    return {
        Name.OBSERVATION_TYPE: step.kind,
        Name.OBSERVATION_METADATA: _json(rest) if rest else None,
        **_of_kind(step, step.attributes),
    }


def _of_kind(step: Step, facts: Mapping[str, Any]) -> Attributes:
    match step.kind:
        case "generation":
            return {**_exchange(facts, "messages", "output"), **_model(facts), **_prompt(facts), **_first(step)}
        case "embedding":
            return _model(facts)
        case "retriever":
            return _exchange(facts, "query", "hits")
        case "evaluator":
            verdict = {name: facts[name] for name in ("claims", "supported_share") if name in facts}
            return {Name.OBSERVATION_OUTPUT: _json(verdict)}
        case _:
            return {}


def _exchange(facts: Mapping[str, Any], given: str, got: str) -> Attributes:
    return {Name.OBSERVATION_INPUT: _shown(facts.get(given)), Name.OBSERVATION_OUTPUT: _shown(facts.get(got))}


def _model(facts: Mapping[str, Any]) -> Attributes:
    return {
        Name.OBSERVATION_MODEL: _string(facts.get("resolved_model") or facts.get("model")),
        Name.OBSERVATION_MODEL_PARAMETERS: _shown(facts.get("parameters")),
        Name.OBSERVATION_USAGE_DETAILS: _usage(facts.get("usage")),
        Name.OBSERVATION_COST_DETAILS: _cost(facts.get("cost")),
    }


def _usage(usage: Any) -> str | None:
    """Langfuse adds up every name that begins with 'input': cached tokens are told apart, not counted twice."""
    if not isinstance(usage, Mapping):
        return None
    prompt, completion, cached = (int(usage.get(name) or 0) for name in ("prompt", "completion", "cached"))
    counts = {"input": max(prompt - cached, 0), "output": completion, "total": prompt + completion}
    return _json({**counts, **({"input_cached_tokens": cached} if cached else {})})


def _cost(cost: Any) -> str | None:
    """Nothing where it is unknown: Langfuse then looks for the model in its own price list."""
    return _json({"total": cost}) if isinstance(cost, int | float) else None


def _prompt(facts: Mapping[str, Any]) -> Attributes:
    # Langfuse links a prompt of its own by name and number; versions of files stay in the metadata.
    version = str(facts.get("prompt_version", ""))
    number = version.removeprefix(SERVED)
    is_there = version.startswith(SERVED) and number.isdecimal()
    return {
        Name.OBSERVATION_PROMPT_NAME: _string(facts.get("prompt_id")) if is_there else None,
        Name.OBSERVATION_PROMPT_VERSION: int(number) if is_there else None,
    }


def _first(step: Step) -> Attributes:
    first_token_ms = step.attributes.get("first_token_ms")
    if not isinstance(first_token_ms, int | float):
        return {}
    moment = datetime.fromtimestamp(step.started_at + first_token_ms / 1000, UTC)
    return {Name.OBSERVATION_COMPLETION_START_TIME: moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def _level(error: str | None) -> Attributes:
    if not error:
        return {}
    level = "ERROR" if _is_error(error) else "WARNING"
    return {Name.OBSERVATION_LEVEL: level, Name.OBSERVATION_STATUS_MESSAGE: error}


def _is_error(error: str | None) -> bool:
    return bool(error) and error != "abandoned"


def _pairs(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key=name, value=_any(value)) for name, value in attributes.items() if value is not None]


def _any(value: str | int | list[str] | None) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=utf8(value or ""))


def _nano(seconds: float) -> int:
    return round(seconds * 1_000_000) * 1000


def _shown(value: Any) -> str | None:
    """A text as it is, anything else as JSON."""
    return value if value is None or isinstance(value, str) else _json(value)


def _string(value: Any) -> str | None:
    return str(value) if value else None


def _json(value: Any) -> str:
    # NaN and Infinity are Python's own additions to JSON, which the server can't read.
    return json.dumps(json.loads(json.dumps(value, default=str), parse_constant=str), ensure_ascii=False)
