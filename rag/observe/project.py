"""A project on a Langfuse server, spoken to with Langfuse's own client over our connection.

Import this file where it is used: it brings in the langfuse package, which takes a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from langfuse.api import LangfuseAPI
from langfuse.api.core import ApiError

from rag.errors import DeliveryError
from rag.observe.account import Account
from rag.observe.connection import Connection, Peer

_HOST = "check langfuse.host; the server must be Langfuse 4 or newer"
_REMEDIES = {
    401: "check the keys in the variables that langfuse.public_key_env and langfuse.secret_key_env name",
    403: "check the keys' project, and whether its plan still takes data",
    404: _HOST,
    405: _HOST,
}


class Project(Connection):
    """A project that the keys of an account open; use it as a context manager. Its failures are DeliveryErrors."""

    def __init__(self, account: Account) -> None:
        """Prepare, without connecting."""
        self.account = account
        super().__init__(
            Peer(
                name="Langfuse",
                address=account.host,
                setting="langfuse.host",
                timeout_s=account.timeout_s,
                auth=(account.public_key, account.secret_key),
                remedies=_REMEDIES,
            )
        )
        self.api = LangfuseAPI(
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
            raise self._refused(error) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self.unreachable(error) from None
        except ValueError:  # a reply that is not what the client expects, pydantic's errors included
            raise self.not_understood() from None

    def _refused(self, error: ApiError) -> DeliveryError:
        return self.refused(error.status_code or 0, error.body, error.headers)
