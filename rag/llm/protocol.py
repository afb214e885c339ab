"""What every chat model does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rag.errors import ModelError
from rag.types import Generation, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """What the stream has said so far is void: its model broke off or was not good enough, and another one begins anew.

    `reason` is for people.
    """

    reason: str


# A stream yields pieces of text and ends with the Generation that tells what it was.
Piece = str | Restart | Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a text is drawn: `temperature` 0 gives the likeliest; `max_tokens` bounds the answer.

    `choices` are words of which the reply is to be one: how likely each was comes with the Generation, where the
    server tells it.
    """

    temperature: float
    max_tokens: int
    choices: tuple[str, ...] = ()


class LLM(Protocol):
    """A chat model. `name` is 'provider:model' as the settings say it."""

    @property
    def name(self) -> str:
        """'provider:model'."""

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """Pieces of the answer, then its Generation. Raises ModelError."""


@runtime_checkable
class Stoppable(Protocol):
    """A stream that another thread can end, though it has nothing to give and its server goes on sending."""

    def stop(self) -> None:
        """Want no more of it; its reader ends with the next byte from the server."""

    def close(self) -> None:
        """Let go of what it holds; called by its reader."""


@runtime_checkable
class Warmable(Protocol):
    """A model that takes time to load and can begin ahead of its first use."""

    def warm(self, prefix: Sequence[Message]) -> None:
        """Begin loading in the background, and read the messages that every prompt begins with."""


def complete(llm: LLM, messages: Sequence[Message], sampling: Sampling) -> Generation:
    """The whole answer of a model at once."""
    for piece in llm.stream(messages, sampling):
        if isinstance(piece, Generation):
            return piece
    raise ModelError(f"{llm.name} ended its stream without a result", retryable=True)
