"""A model's reply while it streams: is it an answer, or the agreed refusal?"""

from __future__ import annotations

from rag.errors import ModelError
from rag.llm.protocol import Chance, Piece
from rag.types import Generation

# What the answer prompt tells the model to say when the passages don't hold the answer.
DECLINE = "NOT IN THE DOCUMENTS"


class Reply:
    """Takes the pieces of one stream; shows nothing that may still turn out to be a refusal."""

    def __init__(self, *, decline_at: float) -> None:
        """`decline_at` is the chance of a refusal, at the first token, from which on the reply counts as one."""
        self._call: Generation | None = None
        self.chance: float | None = None
        self.first_token_ms: float | None = None
        self._decline_at = decline_at
        self._held = ""

    @property
    def call(self) -> Generation:
        """The finished call; raises ModelError while there is none, or when its tokens were used up before a word."""
        if self._call is None:
            raise ModelError("the answer model ended its stream without a result", retryable=True)
        if self._call.finish_reason == "length" and not self._call.text.strip():
            raise ModelError(
                f"{self._call.requested_model} used up its {self._call.usage.completion} tokens before it wrote a word",
                expected="an answer within generate.max_tokens",
                remedy="raise generate.max_tokens; reasoning models want 2000 and more",
            )
        return self._call

    @property
    def declined(self) -> bool:
        """Whether the model refuses: it says so, says nothing, or was likely enough to say so."""
        text = self._call.text if self._call else self._held
        return self._likely or refuses(text) or not text.strip()

    @property
    def doubtful(self) -> bool:
        """Whether the model refused although the chance of a refusal was low: it may know more than it said."""
        return self.declined and self.chance is not None and not self._likely

    def take(self, piece: Piece, *, at_ms: float) -> str:
        """The text that may be shown after this piece; `at_ms` is the time on the run's clock."""
        match piece:
            case Chance():
                self.chance = piece.probability
            case Generation():
                self._call = piece
                return "" if self.declined else self._release()
            case str():
                self.first_token_ms = self.first_token_ms or at_ms
                self._held += piece
                return "" if self._likely or _may_refuse(self._held) else self._release()
        return ""

    @property
    def _likely(self) -> bool:
        return self.chance is not None and self._decline_at < 1 and self.chance >= self._decline_at

    def _release(self) -> str:
        text, self._held = self._held, ""
        return text


def refuses(text: str) -> bool:
    """Whether a text is the refusal, or begins or ends with it."""
    bare = text.casefold().strip(" \n.!*\"'")
    return bare.startswith(DECLINE.casefold()) or bare.endswith(DECLINE.casefold())


def _may_refuse(text: str) -> bool:
    begun = text.strip().casefold()
    return DECLINE.casefold().startswith(begun) or begun.startswith(DECLINE.casefold())
