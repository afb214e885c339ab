"""A trace as OpenTelemetry spans; what their attributes are called is up to a vocabulary.

The messages are built without a tracer: the times and ids are given, and a tracer's spans can't be written by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from rag.errors import DeliveryError
from rag.observe.codec import utf8
from rag.observe.restricted import visible
from rag.types import PUBLIC, Step, Trace
from rag.version import code_version

Value = str | bool | int | float | list[str] | None
Attributes = Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What the attributes of the root are called, given the trace and the root as a step, and those of its parts.

    None leaves an attribute out.
    """

    root: Callable[[Trace, Step], Attributes]
    part: Callable[[Trace, Step], Attributes]


def encoded(trace: Trace, words: Vocabulary, *, is_whole: bool) -> bytes:
    """An export request as bytes; unless the whole may go, texts that not everyone may read are left out.

    Raises DeliveryError, a permanent one, for what can't be written as spans.
    """
    try:
        told = trace if is_whole else visible(trace, PUBLIC)
        body: bytes = export_request(told, words).SerializeToString()
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DeliveryError(f"trace {trace.id} can't be written as spans: {error}", permanent=True) from error
    return body


def export_request(trace: Trace, words: Vocabulary) -> ExportTraceServiceRequest:
    """The spans of one trace: a root for the whole, under it one span a step, nested as the steps are.

    Ids follow from the trace alone, so sending it twice gives one trace. Raises ValueError for ids that aren't hex.
    """
    root = _root_step(trace)
    known = {step.id for step in trace.steps}
    spans = [_span(trace, root, None, words.root(trace, root))]
    for step in trace.steps:
        parent = step.parent_id if step.parent_id in known else root.id
        spans.append(_span(trace, step, parent, words.part(trace, step)))
    request = ExportTraceServiceRequest()
    # Filled in place: a message that is given to another is copied, with all its texts.
    ours = request.resource_spans.add()
    ours.resource.attributes.extend(_pairs({"service.name": "plumbline", "service.version": code_version()}))
    scope = InstrumentationScope(name="plumbline", version=code_version())
    ours.scope_spans.add(scope=scope).spans.extend(spans)
    return request


def root_id(trace_id: str) -> str:
    """The id of the span that stands for a whole trace; it follows from the trace's."""
    return hashlib.sha256(f"root of {trace_id}".encode()).hexdigest()[:16]


def is_error(error: str | None) -> bool:
    """Whether a step that ended so failed; one that was stopped did not."""
    return bool(error) and error != "abandoned"


def shown(value: Any) -> str | None:
    """A text as it is, anything else as JSON."""
    return value if value is None or isinstance(value, str) else as_json(value)


def string(value: Any) -> str | None:
    """Its text, None for nothing."""
    return str(value) if value else None


def as_json(value: Any) -> str:
    """JSON without NaN and Infinity: these are Python's own additions, which servers can't read."""
    try:
        return json.dumps(value, default=str, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(json.loads(json.dumps(value, default=str), parse_constant=str), ensure_ascii=False)


def _root_step(trace: Trace) -> Step:
    """The whole trace as a step, with an id of its own that follows from the trace's."""
    return Step(
        id=root_id(trace.id),
        parent_id=None,
        name=trace.name,
        kind="chain",
        started_at=trace.started_at,
        ended_at=trace.ended_at,
        error=_root_error(trace),
    )


def _root_error(trace: Trace) -> str | None:
    if trace.status == "failed":
        return shown(trace.output) or next((step.error for step in reversed(trace.steps) if step.error), "failed")
    return "abandoned" if trace.status == "abandoned" else None


def _span(trace: Trace, step: Step, parent: str | None, attributes: Attributes) -> Span:
    failed = Status(code=Status.STATUS_CODE_ERROR, message=utf8(step.error or ""))
    return Span(
        trace_id=bytes.fromhex(trace.id),
        span_id=bytes.fromhex(step.id),
        parent_span_id=bytes.fromhex(parent) if parent else b"",
        name=utf8(step.name),
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=_nano(step.started_at),
        end_time_unix_nano=_nano(max(step.started_at, step.ended_at)),
        attributes=_pairs(attributes),
        status=failed if is_error(step.error) else Status(),
    )


def _pairs(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key=utf8(name), value=_any(value)) for name, value in attributes.items() if value is not None]


def _any(value: Value) -> AnyValue:
    match value:
        case list():
            return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case _:
            return AnyValue(string_value=utf8(value or ""))


def _nano(seconds: float) -> int:
    return round(seconds * 1_000_000) * 1000
