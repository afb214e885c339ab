"""Spans posted to a server that speaks OTLP over HTTP: Langfuse, a collector, any backend of OpenTelemetry.

With httpx, not with OpenTelemetry's exporter: that one retries on its own while we wait, takes a redirect or any page
with status 200 for success, and keeps the status code to itself; the spool needs it, to tell what may succeed later
from what never will.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from rag.errors import DeliveryError
from rag.observe.connection import Connection

PROTOBUF = "application/x-protobuf"


def post(
    connection: Connection, address: str, body: bytes, *, headers: Mapping[str, str], timeout_s: float | None
) -> None:
    """Deliver an encoded export request. Raises DeliveryError, permanent where the server will never take it."""
    try:
        reply = connection.http.post(
            address,
            content=body,
            headers={"content-type": PROTOBUF, **headers},
            timeout=connection.timeout(timeout_s),
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise connection.unreachable(error) from None
    if not reply.is_success:
        raise connection.refused(reply.status_code, reply.text, reply.headers)
    rejected, message = _rejected(connection, reply)
    if rejected:
        name = connection.peer.name
        raise DeliveryError(f"{name} rejected {rejected} spans{connection.detail(message)}", permanent=True)


def _rejected(connection: Connection, reply: httpx.Response) -> tuple[int, str]:
    """How many spans a success reply turns down, and why: as protobuf or, from Langfuse itself, as JSON."""
    try:
        if not reply.content:
            return 0, ""
        if PROTOBUF in reply.headers.get("content-type", ""):
            partial = ExportTraceServiceResponse.FromString(reply.content).partial_success
            return partial.rejected_spans, partial.error_message
        told = json.loads(reply.content) or {}
        partly = told.get("partialSuccess") or {}
        return int(partly.get("rejectedSpans") or 0), str(partly.get("errorMessage") or "")
    except (ValueError, TypeError, AttributeError, RecursionError, DecodeError):
        raise connection.not_understood() from None
