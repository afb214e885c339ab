"""Delivery to any server that speaks OTLP over HTTP: a collector, Jaeger, Tempo, Phoenix, a hosted backend.

It takes traces only: OpenTelemetry has nothing that a rating, which changes and is taken back, could be sent as.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rag.errors import DeliveryError
from rag.observe.connection import Connection, Peer
from rag.observe.post import post
from rag.observe.spans.build import encoded
from rag.observe.spans.gen_ai import GEN_AI
from rag.sections import OtlpEndpoint
from rag.settings import secret
from rag.types import Trace

_ADDRESS = "check otlp.endpoint: it is the whole address, mostly with /v1/traces at its end"
_HEADERS = "check the headers in otlp.headers_env and the variables that hold their values"
_REMEDIES = {401: _HEADERS, 403: _HEADERS, 404: _ADDRESS, 405: _ADDRESS, 415: _ADDRESS}


class Otlp(Connection):
    """The server of `[otlp]`; use it as a context manager. Its failures are DeliveryErrors."""

    def __init__(self, chosen: OtlpEndpoint) -> None:
        """Prepare, without connecting. Raises DeliveryError where a header's variable holds no usable value."""
        self._chosen = chosen
        super().__init__(
            Peer(
                name="OTLP",
                address=chosen.endpoint.strip(),
                setting="otlp.endpoint",
                timeout_s=chosen.timeout_s,
                headers=dict(_headers(chosen.headers_env)),
                remedies=_REMEDIES,
            )
        )

    def send_trace(self, trace: Trace, *, timeout_s: float | None = None) -> None:
        """Deliver a trace; sent twice, its spans have the same ids. What not everyone may read stays here."""
        body = encoded(trace, GEN_AI, is_whole=self._chosen.restricted == "full")
        post(self, self.peer.address, body, headers={}, timeout_s=timeout_s)

    def check(self) -> None:
        """Send an empty request: a call that writes nothing."""
        post(self, self.peer.address, b"", headers={}, timeout_s=None)


def _headers(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, variable in variables.items():
        value = secret(variable).strip()
        if not value or not (value.isascii() and value.isprintable()):
            raise DeliveryError(
                f"{variable} {'holds what is no header' if value else 'is not set'}",
                expected=f"the value of the header '{name}'",
                remedy=f"export {variable}=..., or take it out of otlp.headers_env",
            )
        yield name, value
