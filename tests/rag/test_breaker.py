"""The circuit breaker, on a clock of the test."""

from __future__ import annotations

import pytest
from hand_clock import Clock

from rag.llm.breaker import Breaker


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """Opens for 10 s after 2 failures in a row."""
    return Breaker(failures=2, open_s=10, clock=clock)


def passed(breaker: Breaker, *, went_well: bool | None) -> str:
    how = breaker.enter()
    if how != "open":
        breaker.leave(how, went_well=went_well)
    return how


def test_only_failures_in_a_row_open_it(breaker: Breaker) -> None:
    for went_well in (False, True, False, None):
        assert passed(breaker, went_well=went_well) == "closed"
    assert passed(breaker, went_well=False) == "closed"
    assert passed(breaker, went_well=True) == "open"


def test_after_a_while_one_call_tries(breaker: Breaker, clock: Clock) -> None:
    passed(breaker, went_well=False)
    passed(breaker, went_well=False)
    clock.now = 9.9
    assert breaker.enter() == "open"
    clock.now = 10
    assert breaker.enter() == "trial"
    assert breaker.enter() == "open"
    breaker.leave("trial", went_well=True)
    assert breaker.enter() == "closed"


def test_a_trial_that_fails_opens_it_again(breaker: Breaker, clock: Clock) -> None:
    passed(breaker, went_well=False)
    passed(breaker, went_well=False)
    clock.now = 10
    assert passed(breaker, went_well=False) == "trial"
    clock.now = 19
    assert breaker.enter() == "open"
    clock.now = 20
    assert passed(breaker, went_well=True) == "trial"
    assert breaker.enter() == "closed"


def test_a_trial_that_nobody_waited_for_is_given_to_the_next(breaker: Breaker, clock: Clock) -> None:
    passed(breaker, went_well=False)
    passed(breaker, went_well=False)
    clock.now = 10
    assert passed(breaker, went_well=None) == "trial"
    assert passed(breaker, went_well=True) == "trial"


def test_a_call_from_before_ends_no_trial(breaker: Breaker, clock: Clock) -> None:
    before = breaker.enter()
    passed(breaker, went_well=False)
    passed(breaker, went_well=False)
    clock.now = 10
    assert breaker.enter() == "trial"
    breaker.leave(before, went_well=None)
    assert breaker.enter() == "open"
