"""What a model's reply means: an answer or the agreed refusal, yes or no."""

from __future__ import annotations

import re

from rag.errors import ModelError
from rag.types import Generation

# What the prompt 'answer-cited' tells the model to say when the passages don't hold the answer.
DECLINE = "NOT IN THE DOCUMENTS"
# Asked in another language, some models translate it: German, French and Spanish.
_DECLINES = (
    DECLINE.casefold(),
    "nicht in den dokumenten",
    "pas dans les documents",
    "no está en los documentos",
)
YES_NO = ("Yes", "No")
_NO = re.compile(r"\W*(?:no|nein|non)\b", re.IGNORECASE)
# Keeps odds finite.
SMALL = 1e-3
# A model that expects no answer at all before it reads is no reason to believe a faint yes after it.
LEAST_PRIOR_ODDS = 0.1


class Reply:
    """Takes the pieces of one stream; shows nothing that may still turn out to be a refusal."""

    def __init__(self) -> None:
        """A reply of which nothing has come yet."""
        self._call: Generation | None = None
        self.first_token_ms: float | None = None
        self._held = ""
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """All that came so far, shown or not."""
        return "".join(self._pieces)

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
        """Whether the model refuses: it says so, or says nothing."""
        text = self._call.text if self._call else self._held
        return refuses(text) or not text.strip()

    def take(self, piece: str | Generation, *, at_ms: float) -> str:
        """The text that may be shown after this piece; `at_ms` is the time on the run's clock."""
        if isinstance(piece, Generation):
            self._call = piece
            return "" if self.declined else self._release()
        self.first_token_ms = self.first_token_ms or at_ms
        self._held += piece
        self._pieces.append(piece)
        return "" if _may_refuse(self._held) else self._release()

    def _release(self) -> str:
        text, self._held = self._held, ""
        return text


def refuses(text: str) -> bool:
    """Whether a text is the refusal, or begins or ends with it."""
    bare = text.casefold().strip(" \n.!*\"'")
    return bare.startswith(_DECLINES) or bare.endswith(DECLINE.casefold())


def yes_chance(call: Generation) -> float:
    """How likely the reply to a yes-or-no question is yes, 0 to 1.

    As the server tells it; where it tells nothing, 0 for a no or a refusal, and 1 for anything else.
    """
    if call.chances:
        return call.chances.get(YES_NO[0], 0.0)
    return 0.0 if refuses(call.text) or _NO.match(call.text) else 1.0


def answerable(prior: Generation, proposed: Generation, confirmed: Generation) -> float:
    """How likely passages hold the answer, 0 to 1: the odds of yes after reading them, over the odds before.

    `prior` is the model's yes or no to 'do the passages hold the answer' without the passages, `proposed` its answer
    with them, `confirmed` its yes or no to 'do they say so'. A small model says yes to some questions whatever it
    reads; dividing by what it says without reading takes that out (the idea of Zhao and others, Calibrate Before
    Use, 2021).
    """
    if refuses(proposed.text):
        return 0.0
    if not (prior.chances and confirmed.chances):
        return yes_chance(confirmed)
    gain = _odds(yes_chance(confirmed)) / max(_odds(yes_chance(prior)), LEAST_PRIOR_ODDS)
    return gain / (1 + gain)


def _odds(chance: float) -> float:
    return (chance + SMALL) / (1 - chance + SMALL)


def _may_refuse(text: str) -> bool:
    begun = text.strip().casefold()
    return begun.startswith(_DECLINES) or any(words.startswith(begun) for words in _DECLINES)
