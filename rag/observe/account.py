"""Whether traces are delivered, where to, and with which keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rag.settings import Settings, secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A project on a Langfuse server. `host` has no slash at its end.

    `restricted` tells whether it gets the texts of traces with passages that not everyone may read.
    """

    host: str
    public_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    timeout_s: float
    restricted: Literal["none", "full"] = "none"


def account(settings: Settings) -> Account | None:
    """The configured account; None, so that nothing is sent anywhere, unless both keys are set."""
    chosen = settings.langfuse
    public_key, secret_key = secret(chosen.public_key_env).strip(), secret(chosen.secret_key_env).strip()
    if not (public_key and secret_key):
        return None
    return Account(
        host=chosen.host.strip().rstrip("/"),
        public_key=public_key,
        secret_key=secret_key,
        timeout_s=chosen.timeout_s,
        restricted=chosen.restricted,
    )
