"""Several models as one: where one fails or is slow, the next answers."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace

from rag.budget.purse import Purse
from rag.errors import BudgetExceeded, ModelError
from rag.llm.candidate import Candidate
from rag.llm.paid import Paid
from rag.llm.price import total
from rag.llm.protocol import LLM, Piece, Restart, Sampling, Warmable
from rag.roles import CandidateSettings
from rag.types import Attempt, Generation, Message


class Chain:
    """An LLM over candidates, first choice first. Safe to share between threads."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        """At least one candidate."""
        self.candidates = tuple(candidates)

    @property
    def name(self) -> str:
        """The names of its candidates, in order."""
        return ", ".join(candidate.name for candidate in self.candidates)

    def warm(self, prefix: Sequence[Message]) -> None:
        """Let the first choice begin to load, if it has to."""
        first = self.candidates[0].llm
        if isinstance(first, Warmable):
            first.warm(prefix)

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Generator[Piece, None, None]:
        """Pieces of the answer, then its Generation, which tells every attempt.

        A Restart comes before the pieces of the next candidate where one broke off. Times of the Generation count from
        the call of the chain. Raises ModelError when no candidate answers; it names each with its reason.
        """
        errors: list[ModelError] = []
        is_void = False
        for candidate in self.candidates:
            if is_void:
                yield Restart(reason=errors[-1].seen)
                is_void = False
            try:
                with closing(candidate.stream(messages, sampling)) as pieces:
                    for piece in pieces:
                        if isinstance(piece, Generation):
                            yield _whole(piece, _attempts(errors))
                            return
                        is_void = True
                        yield piece
            except ModelError as error:
                errors.append(error)
        raise none_answered(errors)


class Pinned:
    """A chain for the calls of one question: who failed in one of them is not waited for in the next.

    So the calls are also of one model, as far as can be. For one thread.
    """

    def __init__(self, chain: Chain) -> None:
        """Begin with all candidates."""
        self._chain = chain

    @property
    def name(self) -> str:
        """The names of the candidates that are left, in order."""
        return self._chain.name

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Generator[Piece, None, None]:
        """As the chain does it."""
        with closing(self._chain.stream(messages, sampling)) as pieces:
            for piece in pieces:
                if isinstance(piece, Generation):
                    self._pin(piece.attempts[-1].model)
                yield piece

    def _pin(self, answered: str) -> None:
        names = [candidate.name for candidate in self._chain.candidates]
        self._chain = Chain(self._chain.candidates[names.index(answered) :])


def pinned(llm: LLM, purse: Purse | None = None) -> LLM:
    """A model for the calls of one question, which a purse pays, if there is one."""
    if isinstance(llm, Chain):
        return Pinned(Chain([candidate.paid_by(purse) for candidate in llm.candidates]))
    return Paid(llm, CandidateSettings(), purse) if purse else llm


def _attempts(errors: Sequence[ModelError]) -> tuple[Attempt, ...]:
    return tuple(each for error in errors for each in error.attempts if isinstance(each, Attempt))


def _whole(generation: Generation, before: tuple[Attempt, ...]) -> Generation:
    """The generation with all attempts and their cost, its times those of whoever called the chain."""
    (own,) = generation.attempts
    earlier_ms = sum(attempt.total_ms for attempt in before)
    first_ms = None if own.first_token_ms is None else round(earlier_ms + own.first_token_ms, 1)
    total_ms = round(earlier_ms + own.total_ms, 1)
    attempts = (*before, own)
    costs = total(attempt.cost for attempt in attempts)
    return replace(generation, attempts=attempts, cost=costs, first_token_ms=first_ms, total_ms=total_ms)


def none_answered(errors: Sequence[ModelError]) -> ModelError:
    """The error of several models in a row, each named with its reason."""
    if len(errors) == 1:
        return errors[0]
    unpaid = [error for error in errors if isinstance(error, BudgetExceeded)]
    checks = ["'plumb doctor' checks each"] if len(unpaid) < len(errors) else []
    return (ModelError if checks else BudgetExceeded)(
        f"no model answered: {', then '.join(error.seen for error in errors)}",
        expected="an answer from one of them",
        remedy="; ".join([error.remedy for error in unpaid[-1:]] + checks),
        retryable=any(error.retryable for error in errors),
    ).with_attempts(_attempts(errors))
