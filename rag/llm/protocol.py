"""What every chat model does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rag.errors import ModelError
from rag.types import Generation, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """How likely the model was, at its first token, to begin the watched text: 0 to 1."""

    probability: float


# A stream yields pieces of text and ends with the Generation that tells what it was. A server that tells its
# probabilities has a Chance come first, when there is a text to watch.
Piece = str | Chance | Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a text is drawn: `temperature` 0 gives the likeliest; `max_tokens` bounds the answer.

    `watch` is a text whose chance to be the answer is wanted, where the server tells it; with `insist` such a server
    must write something else.
    """

    temperature: float
    max_tokens: int
    watch: str = ""
    insist: bool = False


class LLM(Protocol):
    """A chat model. `name` is 'provider:model' as the settings say it."""

    @property
    def name(self) -> str:
        """'provider:model'."""

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """Pieces of the answer, then its Generation. Raises ModelError."""


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
