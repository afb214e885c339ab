"""Where traces are delivered to: what the settings name, and how each is spoken to."""

from __future__ import annotations

from hashlib import blake2s
from typing import TYPE_CHECKING, assert_never

from rag.errors import ConfigError
from rag.observe.account import account
from rag.observe.outbox import Destination
from rag.settings import Settings, secret

if TYPE_CHECKING:
    from rag.observe.langfuse import Langfuse
    from rag.observe.otlp import Otlp


def destinations(settings: Settings) -> tuple[Destination, ...]:
    """The destinations that are configured; none, so that nothing is sent anywhere, unless somebody set one."""
    named: dict[Destination, bool] = {
        "langfuse": account(settings) is not None,
        "otlp": bool(settings.otlp.endpoint.strip()),
    }
    return tuple(name for name, is_set in named.items() if is_set)


def mark(name: Destination, settings: Settings) -> str:
    """What tells this destination's address and keys from others: two bytes of their hash, too few to find a key by."""
    match name:
        case "langfuse":
            target = account(settings)
            told = [target.host, target.public_key, target.secret_key] if target else []
        case "otlp":
            told = [settings.otlp.endpoint.strip(), *map(secret, settings.otlp.headers_env.values())]
        case _:
            assert_never(name)
    return blake2s("\0".join(told).encode("utf-8", "replace"), digest_size=2).hexdigest()


def open_destination(name: Destination, settings: Settings) -> Langfuse | Otlp:
    """The server of that name. Raises DeliveryError when nobody can talk to it, ConfigError when it is not set."""
    match name:
        case "langfuse":
            from rag.observe.langfuse import Langfuse

            target = account(settings)
            if target is None:
                raise ConfigError("no Langfuse keys are set", expected="both keys", remedy="see 'plumb doctor'")
            return Langfuse(target)
        case "otlp":
            from rag.observe.otlp import Otlp

            return Otlp(settings.otlp)
        case _:
            assert_never(name)
