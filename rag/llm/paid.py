"""A chat model whose calls are paid from a purse: the worst case before, what it came to after."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence

from rag.budget.amount import Amount, billionths
from rag.budget.purse import Purse
from rag.budget.refusal import Wanted
from rag.embed.protocol import guess_tokens
from rag.errors import ModelError
from rag.llm.price import cost
from rag.llm.protocol import LLM, Piece, Sampling, Stoppable
from rag.llm.stopping import StoppableStream
from rag.roles import CandidateSettings
from rag.types import Generation, Message, Usage

# What chat formats put around each message, and servers round a small bound on tokens up.
MESSAGE_TOKENS = 8
LEAST_TOKENS = 50
_SINGLE = re.compile(r"[0-9\n!-/:-@\[-`{-~]")
# No call takes so many; a server may say so.
MOST_TOKENS = 10**12


class Paid:
    """A model for one turn.

    Where the stream ends with its usage, that is what it came to. A request that the server turned away took nothing.
    Of any other end, as when it breaks off or is left, nobody tells what it took: its worst case stays counted.
    """

    def __init__(self, llm: LLM, limits: CandidateSettings, purse: Purse) -> None:
        """`limits` tell the prices, and after which time a call is over for certain."""
        self.name = llm.name
        self._llm = llm
        self._limits = limits
        self._purse = purse

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """As the model does it. Raises BudgetExceeded before it is asked, where the purse can't pay the worst case."""
        # Nothing is asked yet: a stream begins with its first piece.
        stream = self._llm.stream(messages, sampling)
        pieces = self._pieces(stream, self._wanted(messages, sampling))
        return StoppableStream(pieces, stream.stop) if isinstance(stream, Stoppable) else pieces

    def _pieces(self, stream: Iterator[Piece], wanted: Wanted) -> Generator[Piece, None, None]:
        held = self._purse.reserve(wanted)
        spent = wanted.worst
        is_heard = False
        last: Generation | None = None
        try:
            for piece in stream:
                if isinstance(piece, Generation):
                    last, spent = piece, self._spent(piece.usage) or spent
                    break
                is_heard = True
                yield piece
        except ModelError as error:
            spent = Amount() if error.refused and not is_heard else spent
            raise
        finally:
            if isinstance(stream, Generator | Stoppable):
                stream.close()
            # Before the result is told: whoever has it may end the process.
            self._purse.settle(held, spent)
        if last:
            yield last

    def _wanted(self, messages: Sequence[Message], sampling: Sampling) -> Wanted:
        """A guess of the prompt, and of the answer what may be written."""
        prompt = sum(_guessed(message.content) + MESSAGE_TOKENS for message in messages)
        return Wanted(
            model=self.name,
            user=self._purse.user,
            worst=self._amount(Usage(prompt=prompt, completion=max(sampling.max_tokens, LEAST_TOKENS))),
            least=self._amount(Usage(prompt=prompt)),
            # A stream that is given up at total_s is closed at the latest after so long a silence of its client.
            hold_s=self._limits.total_s + self._limits.first_token_s,
        )

    def _amount(self, usage: Usage) -> Amount:
        money = cost(usage, self._limits)
        return Amount(tokens=usage.prompt + usage.completion, cost=None if money is None else billionths(money))

    def _spent(self, usage: Usage) -> Amount | None:
        """What a server says that it took; None where it says nothing, or nonsense."""
        told = (usage.prompt, usage.completion, usage.cached)
        is_sense = usage.prompt > 0 and all(0 <= tokens <= MOST_TOKENS for tokens in told)
        return self._amount(usage) if is_sense else None


def _guessed(text: str) -> int:
    """A guess of a text's tokens, high for prose; noise, such as base64, takes more.

    In tables, many tokenizers make one of each digit, comma and line end.
    """
    without, single = _SINGLE.subn("", text)
    return guess_tokens(without) + single
