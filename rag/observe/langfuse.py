"""Delivery to a Langfuse server: a trace as OpenTelemetry spans, feedback as scores.

Scores go through Langfuse's own API client, its retries off.

Import this file where it is used: it brings in the langfuse package, which takes a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from langfuse.api.core import ApiError
from langfuse.api.scores import CreateScoreBatchResults, CreateScoreRequest

from rag.errors import DeliveryError
from rag.observe.post import post
from rag.observe.project import Project
from rag.observe.restricted import visible
from rag.observe.spans.build import encoded
from rag.observe.spans.langfuse import LANGFUSE
from rag.types import PUBLIC, Trace

TRACES_PATH = "/api/public/otel/v1/traces"
NOT_FOUND = 404
PAGE, MOST_PAGES = 100, 100


class Langfuse(Project):
    """A Langfuse server that takes traces and ratings; use it as a context manager.

    Every failure is a DeliveryError; `permanent` ones concern this one item, all others may go away.
    """

    def send_trace(self, trace: Trace, *, timeout_s: float | None = None) -> None:
        """Deliver a trace; the same trace again replaces the first. What not everyone may read stays here."""
        body = encoded(trace, LANGFUSE, is_whole=self.account.restricted == "full")
        headers = {"x-langfuse-ingestion-version": "4"}
        post(self, self.account.host + TRACES_PATH, body, headers=headers, timeout_s=timeout_s)

    def may_read(self, trace: Trace) -> bool:
        """Whether the server gets the texts of this trace: of what everyone may read, unless the settings say more."""
        return self.account.restricted == "full" or visible(trace, PUBLIC) is trace

    def send_scores(self, requests: Sequence[CreateScoreRequest], *, timeout_s: float | None = None) -> None:
        """Deliver scores of one trace; one that comes again with the same id replaces the first."""
        with self.translated():
            reply = self.api.scores.create(request=[*requests], request_options=self.options(timeout_s))
        if isinstance(reply, CreateScoreBatchResults) and reply.rejected:
            detail = "; ".join(str(problem.message) for problem in reply.errors)
            raise DeliveryError(f"Langfuse rejected the rating{self.detail(detail)}", permanent=True)

    def forget_score(self, score_id: str, *, timeout_s: float | None = None) -> None:
        """Have the server forget a score; one that it does not have counts as forgotten."""
        with self.translated():
            try:
                self.api.scores.delete(score_id, request_options=self.options(timeout_s))
            except ApiError as error:
                if error.status_code != NOT_FOUND:
                    raise

    def annotations(self, *, since: float) -> Iterator[Any]:
        """The scores that people made in Langfuse itself from that Unix time on."""
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            with self.translated():
                page = self.api.scores.get_many(
                    source="ANNOTATION",
                    fields="details,subject,annotation",
                    from_timestamp=datetime.fromtimestamp(since, UTC),
                    limit=PAGE,
                    cursor=cursor,
                    request_options=self.options(),
                )
            yield from page.data
            if not (cursor := page.meta.cursor):
                return

    def project(self) -> str:
        """The name of the project the keys belong to: a call that writes nothing."""
        try:
            reply = self.http.get(f"{self.account.host}/api/public/projects")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self.unreachable(error) from None
        if not reply.is_success:
            raise self.refused(reply.status_code, reply.text, reply.headers)
        try:
            return str(reply.json()["data"][0]["name"])
        except (ValueError, KeyError, IndexError, TypeError):
            raise self.not_understood() from None
