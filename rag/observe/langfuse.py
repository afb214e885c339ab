"""Delivery to a Langfuse server: a trace as OpenTelemetry spans, feedback as scores.

Spans are posted here with httpx, not with OpenTelemetry's exporter: that one retries on its own while we wait, takes
a redirect or any page with status 200 for success, and keeps the status code to itself; the spool needs it, to tell
what may succeed later from what never will. Scores go through Langfuse's own API client, its retries off.

Import this file where it is used: it brings in the langfuse package, which takes a second.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, cast

import httpx
from google.protobuf.message import DecodeError
from langfuse.api import LangfuseAPI
from langfuse.api.core import ApiError
from langfuse.api.scores import CreateScoreBatchResults, CreateScoreRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from rag.errors import DeliveryError
from rag.observe.account import Account
from rag.observe.restricted import visible
from rag.observe.spans import export_request
from rag.settings import redact_url
from rag.types import PUBLIC, Trace

TRACES_PATH = "/api/public/otel/v1/traces"
NOT_FOUND = 404
MAX_REPLY_BYTES = 100_000
MAX_DETAIL_CHARS = 200
PROTOBUF = "application/x-protobuf"
# Statuses that say nothing about the item: wrong keys, host or path, or a server that is busy. They hold for all items.
NOT_THE_ITEM = frozenset((401, 402, 403, 404, 405, 407, 408, 425, 429))
_REMEDIES = {
    401: "check the keys in the variables that langfuse.public_key_env and langfuse.secret_key_env name",
    403: "check the keys' project, and whether its plan still takes data",
    404: "check langfuse.host; the server must be Langfuse 4 or newer",
    405: "check langfuse.host; the server must be Langfuse 4 or newer",
}


class Langfuse:
    """A Langfuse server that takes traces and ratings; use it as a context manager.

    Every failure is a DeliveryError; `permanent` ones concern this one item, all others may go away.
    """

    def __init__(self, account: Account) -> None:
        """Prepare, without connecting."""
        self._account = account
        try:
            self._http = httpx.Client(
                auth=(account.public_key, account.secret_key),
                timeout=account.timeout_s,
                headers={"accept-encoding": "identity"},  # so that the bound on a reply is on what it unpacks to
                # The keys never go to another host than the configured one.
                follow_redirects=False,
                event_hooks={"response": [_bound]},
            )
        except (httpx.InvalidURL, ValueError, OSError) as error:
            raise DeliveryError(f"can't talk to Langfuse: {error}", remedy="check the proxy variables") from error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._http.close()

    def send_trace(self, trace: Trace, *, timeout_s: float | None = None) -> None:
        """Deliver a trace; the same trace again replaces the first. What not everyone may read stays here."""
        body = _encoded(trace, is_whole=self._account.restricted == "full")
        headers = {"content-type": PROTOBUF, "x-langfuse-ingestion-version": "4"}
        try:
            reply = self._http.post(
                self._account.host + TRACES_PATH, content=body, headers=headers, timeout=self._timeout(timeout_s)
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from None
        if not reply.is_success:
            raise self._refused(reply.status_code, reply.text)
        self._check_taken(reply)

    def may_read(self, trace: Trace) -> bool:
        """Whether the server gets the texts of this trace: of what everyone may read, unless the settings say more."""
        return self._account.restricted == "full" or visible(trace, PUBLIC) is trace

    def send_scores(self, requests: Sequence[CreateScoreRequest], *, timeout_s: float | None = None) -> None:
        """Deliver scores of one trace; one that comes again with the same id replaces the first."""
        with self._translated():
            reply = self._api().scores.create(request=[*requests], request_options=self._options(timeout_s))
        if isinstance(reply, CreateScoreBatchResults) and reply.rejected:
            detail = "; ".join(str(problem.message) for problem in reply.errors)
            raise DeliveryError(f"Langfuse rejected the rating{self._detail(detail)}", permanent=True)

    def forget_score(self, score_id: str, *, timeout_s: float | None = None) -> None:
        """Have the server forget a score; one that it does not have counts as forgotten."""
        with self._translated():
            try:
                self._api().scores.delete(score_id, request_options=self._options(timeout_s))
            except ApiError as error:
                if error.status_code != NOT_FOUND:
                    raise

    def project(self) -> str:
        """The name of the project the keys belong to: a call that writes nothing."""
        try:
            reply = self._http.get(f"{self._account.host}/api/public/projects")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from None
        if not reply.is_success:
            raise self._refused(reply.status_code, reply.text)
        try:
            return str(reply.json()["data"][0]["name"])
        except (ValueError, KeyError, IndexError, TypeError):
            raise self._not_langfuse() from None

    def _api(self) -> LangfuseAPI:
        account = self._account
        return LangfuseAPI(
            base_url=account.host,
            username=account.public_key,
            password=account.secret_key,
            httpx_client=self._http,
            x_langfuse_public_key=account.public_key,
        )

    def _options(self, timeout_s: float | None) -> Any:
        return {"max_retries": 0, "timeout_in_seconds": self._timeout(timeout_s)}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what Langfuse's own client raises into DeliveryError."""
        try:
            yield
        except ApiError as error:
            raise self._refused(error.status_code or 0, error.body) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from None
        except ValueError:  # a reply that is not what the client expects, pydantic's errors included
            raise self._not_langfuse() from None

    def _timeout(self, timeout_s: float | None) -> float:
        return min(self._account.timeout_s, timeout_s) if timeout_s is not None else self._account.timeout_s

    def _check_taken(self, reply: httpx.Response) -> None:
        rejected, message = self._rejected(reply)
        if rejected:
            raise DeliveryError(f"Langfuse rejected {rejected} spans{self._detail(message)}", permanent=True)

    def _rejected(self, reply: httpx.Response) -> tuple[int, str]:
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
            raise self._not_langfuse() from None

    def _refused(self, status: int, body: Any) -> DeliveryError:
        if 200 <= status < 400:
            return self._not_langfuse()
        return DeliveryError(
            f"{self._where()} answered {status or 'nothing usable'}{self._detail(_told(body))}",
            expected="the trace or rating to be taken",
            remedy=_REMEDIES.get(status, ""),
            permanent=400 <= status < 500 and status not in NOT_THE_ITEM,
        )

    def _unreachable(self, error: Exception) -> DeliveryError:
        reason = self._detail(str(error) or type(error).__name__)
        return DeliveryError(f"{self._where()} can't be reached{reason}", remedy="check langfuse.host, or wait")

    def _not_langfuse(self) -> DeliveryError:
        return DeliveryError(
            f"{self._where()} answered with something else than Langfuse's replies", remedy="check langfuse.host"
        )

    def _where(self) -> str:
        return redact_url(self._account.host)

    def _detail(self, text: str) -> str:
        """The server's own words, short and without the keys, should it echo them."""
        for key in (self._account.secret_key, self._account.public_key):
            text = text.replace(key, "***")
        shown = " ".join(redact_url(text).split())[:MAX_DETAIL_CHARS]
        return f": {shown}" if shown else ""


class _Bounded(httpx.SyncByteStream):
    """A reply's body that ends in an error when it gets too long or takes too long."""

    def __init__(self, response: httpx.Response) -> None:
        self._stream = cast(httpx.SyncByteStream, response.stream)
        self._request = response.request
        self._until = time.monotonic() + float(self._request.extensions["timeout"]["read"] or 0)

    def __iter__(self) -> Iterator[bytes]:
        read = 0
        for part in self._stream:
            read += len(part)
            if read > MAX_REPLY_BYTES:
                raise httpx.ReadError("the reply is too long", request=self._request)
            if time.monotonic() > self._until:
                raise httpx.ReadTimeout("the reply takes too long", request=self._request)
            yield part

    def close(self) -> None:
        self._stream.close()


def _bound(response: httpx.Response) -> None:
    response.stream = _Bounded(response)


def _encoded(trace: Trace, *, is_whole: bool) -> bytes:
    try:
        told = trace if is_whole else visible(trace, PUBLIC)
        body: bytes = export_request(told).SerializeToString()
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DeliveryError(f"trace {trace.id} can't be written as spans: {error}", permanent=True) from error
    return body


def _told(body: Any) -> str:
    """The words of an error reply: its message when it is JSON, nothing of a whole web page."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return ""
    if not isinstance(body, dict):
        return ""
    said = body.get("message") or body.get("error") or ""
    return said if isinstance(said, str) else json.dumps(said)
