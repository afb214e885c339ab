"""A connection to a Langfuse server: its keys, its bounds, and what its failures mean.

Import this file where it is used: it brings in the langfuse package, which takes a second.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, cast

import httpx
from langfuse.api import LangfuseAPI
from langfuse.api.core import ApiError

from rag.errors import DeliveryError
from rag.observe.account import Account
from rag.settings import redact_url

# A page of a hundred scores with long comments is the longest that is asked for.
MAX_REPLY_BYTES = 2_000_000
MAX_DETAIL_CHARS = 200
# Statuses that say nothing about the item: wrong keys, host or path, or a server that is busy. They hold for all items.
NOT_THE_ITEM = frozenset((401, 402, 403, 404, 405, 407, 408, 425, 429))
_REMEDIES = {
    401: "check the keys in the variables that langfuse.public_key_env and langfuse.secret_key_env name",
    403: "check the keys' project, and whether its plan still takes data",
    404: "check langfuse.host; the server must be Langfuse 4 or newer",
    405: "check langfuse.host; the server must be Langfuse 4 or newer",
}


class Connection:
    """A server with the keys of a project; use it as a context manager. Its failures are DeliveryErrors."""

    def __init__(self, account: Account) -> None:
        """Prepare, without connecting."""
        self.account = account
        try:
            self.http = httpx.Client(
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
        self.http.close()

    def api(self) -> LangfuseAPI:
        """Langfuse's own client over this connection."""
        account = self.account
        return LangfuseAPI(
            base_url=account.host,
            username=account.public_key,
            password=account.secret_key,
            httpx_client=self.http,
            x_langfuse_public_key=account.public_key,
        )

    def options(self, timeout_s: float | None = None) -> Any:
        """For a call of Langfuse's client: no retries of its own, and no longer than the settings allow."""
        return {"max_retries": 0, "timeout_in_seconds": self.timeout(timeout_s)}

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what Langfuse's own client raises into DeliveryError."""
        try:
            yield
        except ApiError as error:
            raise self.refused(error.status_code or 0, error.body) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self.unreachable(error) from None
        except ValueError:  # a reply that is not what the client expects, pydantic's errors included
            raise self.not_langfuse() from None

    def timeout(self, timeout_s: float | None) -> float:
        """The longest wait: what is wanted, within what the settings allow."""
        return min(self.account.timeout_s, timeout_s) if timeout_s is not None else self.account.timeout_s

    def refused(self, status: int, body: Any) -> DeliveryError:
        """What a status other than success means."""
        if 200 <= status < 400:
            return self.not_langfuse()
        return DeliveryError(
            f"{self.where()} answered {status or 'nothing usable'}{self.detail(_told(body))}",
            expected="it to be taken",
            remedy=_REMEDIES.get(status, ""),
            permanent=400 <= status < 500 and status not in NOT_THE_ITEM,
        )

    def unreachable(self, error: Exception) -> DeliveryError:
        """What a connection that failed means."""
        reason = self.detail(str(error) or type(error).__name__)
        return DeliveryError(f"{self.where()} can't be reached{reason}", remedy="check langfuse.host, or wait")

    def not_langfuse(self) -> DeliveryError:
        """What a reply means that Langfuse would not give."""
        return DeliveryError(
            f"{self.where()} answered with something else than Langfuse's replies", remedy="check langfuse.host"
        )

    def where(self) -> str:
        """The server's address without a password in it."""
        return redact_url(self.account.host)

    def detail(self, text: str) -> str:
        """The server's own words, short and without the keys, should it echo them."""
        for key in (self.account.secret_key, self.account.public_key):
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
