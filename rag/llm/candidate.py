"""A model with its limits: how long it is waited for, tried again, asked at once, and left alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

from rag.budget.purse import Purse
from rag.errors import BudgetExceeded, ModelError
from rag.llm.breaker import Breaker
from rag.llm.call import Call
from rag.llm.paid import Paid
from rag.llm.price import cost, given_up
from rag.llm.protocol import LLM, Restart, Sampling
from rag.llm.retry import pauses
from rag.roles import CandidateSettings
from rag.types import Attempt, Generation, Message, Outcome

Clock = Callable[[], float]


@dataclass(slots=True, kw_only=True)
class _Turn:
    """The turn of one candidate for one generation, on a clock that began with it."""

    clock: Clock
    began: float
    tries: int = 0
    has_queued: bool = False
    first_token_ms: float | None = None
    outcome: Outcome = "failed"

    def elapsed_s(self) -> float:
        return self.clock() - self.began

    @property
    def is_late_for_others(self) -> bool:
        """Whether time went by in waiting for a place, which says nothing about the model."""
        return self.has_queued and self.outcome in ("slow", "busy")

    def heard(self) -> None:
        """Note the first token."""
        if self.first_token_ms is None:
            self.first_token_ms, self.outcome = self.elapsed_ms(), "broken"

    def not_paid(self) -> None:
        """Note that the last try was none."""
        self.tries, self.outcome = self.tries - 1, "skipped"

    def elapsed_ms(self) -> float:
        return round(self.elapsed_s() * 1000, 1)

    def attempt(self, model: str, *, cost: float | None, reason: str = "") -> Attempt:
        """What became of it."""
        return Attempt(
            model=model,
            outcome=self.outcome,
            reason=reason,
            tries=self.tries,
            first_token_ms=self.first_token_ms,
            total_ms=self.elapsed_ms(),
            cost=cost,
        )


class Candidate:
    """A chat model in a chain. Safe to share between threads, and between the chains of an engine."""

    def __init__(
        self,
        llm: LLM,
        limits: CandidateSettings,
        *,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`clock` and `sleep` are in seconds."""
        self.llm = llm
        self.limits = limits
        self._clock = clock
        self._sleep = sleep
        self._breaker = Breaker(failures=limits.breaker_failures, open_s=limits.breaker_s, clock=clock)
        self._places = threading.BoundedSemaphore(limits.max_concurrent)

    @property
    def name(self) -> str:
        """'provider:model'."""
        return self.llm.name

    def paid_by(self, purse: Purse | None) -> Candidate:
        """The same candidate, with the same places and breaker, whose calls a purse pays; itself without one."""
        if purse is None:
            return self
        paid = copy(self)
        paid.llm = Paid(self.llm, self.limits, purse)
        return paid

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Generator[str | Generation, None, None]:
        """Pieces of the answer, then its Generation, with its cost and its one Attempt.

        Raises ModelError, with the Attempt in it, when it does not answer within its limits.
        """
        turn = _Turn(clock=self._clock, began=self._clock())
        passed = self._breaker.enter()
        if passed == "open":
            turn.outcome = "skipped"
            raise self._told(
                self._error(f"is not asked, as it failed {self.limits.breaker_failures} times in a row"), turn
            )
        went_well: bool | None = None
        try:
            generation = yield from self._answer(messages, sampling, turn)
            went_well = True
        except ModelError as error:
            if isinstance(error, BudgetExceeded):
                turn.not_paid()
            went_well = False if error.retryable and not turn.is_late_for_others else None
            raise self._told(error, turn) from None
        finally:
            self._breaker.leave(passed, went_well=went_well)
        yield self._finished(generation, turn)

    def _answer(self, messages: Sequence[Message], sampling: Sampling, turn: _Turn) -> Generator[str, None, Generation]:
        """Try, and try again where that can help and nothing was said yet."""
        for pause_s in pauses(self.limits.retries):
            try:
                return (yield from self._try(messages, sampling, turn))
            except ModelError as error:
                wait_s = max(pause_s, error.retry_after_s)
                if not error.retryable or turn.first_token_ms is not None or wait_s >= self._left_s(turn):
                    raise
            self._sleep(wait_s)
        return (yield from self._try(messages, sampling, turn))

    def _try(self, messages: Sequence[Message], sampling: Sampling, turn: _Turn) -> Generator[str, None, Generation]:
        self._take_place(turn)
        turn.tries += 1
        call = Call(partial(self.llm.stream, messages, sampling), ended=self._places.release)
        try:
            while True:
                piece = call.next(self._left_s(turn))
                if isinstance(piece, Generation):
                    return piece
                if piece is None or isinstance(piece, Restart):
                    raise self._error("ended its stream without a result")
                if piece:
                    turn.heard()
                    yield piece
        except TimeoutError:
            raise self._late(turn) from None
        finally:
            call.leave()

    def _take_place(self, turn: _Turn) -> None:
        if self._places.acquire(blocking=False):
            return
        turn.has_queued = True
        if not self._places.acquire(timeout=max(self._left_s(turn), 0)):
            turn.outcome = "busy"
            raise self._error(f"had no free place in {self.limits.first_token_s:g} s", limit="max_concurrent")

    def _left_s(self, turn: _Turn) -> float:
        limits = self.limits
        is_heard = turn.first_token_ms is not None
        return (limits.total_s if is_heard else min(limits.first_token_s, limits.total_s)) - turn.elapsed_s()

    def _late(self, turn: _Turn) -> ModelError:
        if turn.first_token_ms is not None:
            return self._error(f"was not done in {self.limits.total_s:g} s", limit="total_s")
        turn.outcome = "slow"
        return self._error(f"gave no token in {self.limits.first_token_s:g} s", limit="first_token_s")

    def _error(self, what: str, *, limit: str = "") -> ModelError:
        raised = f'raise {limit} in [candidates."{self.name}"], or ' if limit else ""
        return ModelError(
            f"{self.name} {what}",
            expected="an answer within its limits",
            remedy=f"{raised}try again, or add another model to the role",
            retryable=True,
        )

    def _told(self, error: ModelError, turn: _Turn) -> ModelError:
        seen = error.seen if self.name in error.seen else f"{self.name}: {error.seen}"
        told = type(error)(
            seen,
            expected=error.expected,
            remedy=error.remedy,
            retryable=error.retryable,
            retry_after_s=error.retry_after_s,
        )
        attempt = turn.attempt(self.name, cost=given_up(turn.outcome, self.limits), reason=seen)
        return told.with_attempts((attempt,))

    def _finished(self, generation: Generation, turn: _Turn) -> Generation:
        turn.outcome = "answered"
        attempt = turn.attempt(self.name, cost=cost(generation.usage, self.limits))
        return replace(generation, cost=attempt.cost, attempts=(attempt,))
