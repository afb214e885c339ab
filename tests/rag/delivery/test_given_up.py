"""Destinations that turn us away: asked again for a day, then by nobody until somebody wants it or the keys change."""

from __future__ import annotations

import time

import pytest
from delivering import add, numbers, shipped
from hand_clock import Clock
from langfuse_server import OTLP_PATH, OTLP_TOKEN, SECRET_KEY, FakeLangfuse

from rag.observe.breakers import CLOSED, GIVE_UP_S
from rag.observe.destinations import mark
from rag.observe.ship import REST_S, ship
from rag.observe.spool import Spool, open_spool
from rag.sections import OtlpEndpoint
from rag.settings import Settings

HOUR_S = 3600
DAY_S = GIVE_UP_S + HOUR_S


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    hands = Clock(now=time.time())
    monkeypatch.setattr("rag.observe.outbox.time.time", hands)
    return hands


def pass_time(clock: Clock, spool: Spool, settings: Settings, *, seconds: float, step: float = HOUR_S) -> None:
    """As the background thread does, only that it looks more seldom."""
    until = clock.now + seconds
    while clock.now < until:
        clock.now += step
        shipped(spool, settings, only_due=True)


@pytest.fixture
def given_up(fake: FakeLangfuse, spool: Spool, settings: Settings, clock: Clock) -> Spool:
    add(spool, 1, 2)
    fake.behaviour = 401
    pass_time(clock, spool, settings, seconds=DAY_S)
    return spool


@pytest.mark.parametrize("behaviour", [401, 402, 403, 429])
def test_after_a_day_of_refusals_nobody_asks_any_more(
    fake: FakeLangfuse, spool: Spool, settings: Settings, clock: Clock, behaviour: int
) -> None:
    add(spool, 1, 2)
    fake.behaviour = behaviour
    pass_time(clock, spool, settings, seconds=DAY_S)
    asked = len(fake.requests)
    pass_time(clock, spool, settings, seconds=30 * DAY_S, step=DAY_S)
    assert len(fake.requests) == asked
    (progress,) = spool.progress()
    assert (progress.waiting, progress.refused) == (2, 0)
    assert progress.breaker.is_given_up
    assert f"answered {behaviour}" in progress.breaker.reason
    found = shipped(spool, settings, only_due=True)
    assert (found.waiting, found.reason) == (2, f"it was given up: {progress.breaker.reason}")


def test_within_the_day_it_mends_itself(fake: FakeLangfuse, spool: Spool, settings: Settings, clock: Clock) -> None:
    add(spool, 1)
    fake.behaviour = 403
    pass_time(clock, spool, settings, seconds=20 * HOUR_S)
    fake.behaviour = "ok"
    pass_time(clock, spool, settings, seconds=HOUR_S)
    assert numbers(fake) == [1]
    assert spool.breaker("langfuse") == CLOSED


def test_a_server_that_is_down_is_never_given_up(
    fake: FakeLangfuse, spool: Spool, settings: Settings, clock: Clock
) -> None:
    add(spool, 1)
    fake.behaviour = 503
    pass_time(clock, spool, settings, seconds=3 * DAY_S)
    assert not spool.breaker("langfuse").is_given_up
    fake.behaviour = "ok"
    pass_time(clock, spool, settings, seconds=HOUR_S)
    assert numbers(fake) == [1]


def test_who_asks_for_it_begins_a_new_day(
    fake: FakeLangfuse, given_up: Spool, settings: Settings, clock: Clock
) -> None:
    shipped(given_up, settings)
    assert not given_up.breaker("langfuse").is_given_up
    assert given_up.breaker("langfuse").failures == 1
    fake.behaviour = "ok"
    pass_time(clock, given_up, settings, seconds=HOUR_S)
    assert numbers(fake) == [1, 2]


def test_other_keys_are_tried_at_once(
    fake: FakeLangfuse, spool: Spool, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-wrong")
    add(spool, 1, 2)
    pass_time(clock, spool, settings, seconds=DAY_S)
    assert spool.breaker("langfuse").is_given_up
    asked = len(fake.requests)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-wrong-too")
    assert "given up" not in shipped(spool, settings, only_due=True).reason
    assert len(fake.requests) == asked + 1
    assert spool.breaker("langfuse").failures == 1
    # It was given up with these.
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-wrong")
    assert "given up" in shipped(spool, settings, only_due=True).reason
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", SECRET_KEY)
    assert shipped(spool, settings, only_due=True).delivered == 2


def test_other_headers_are_tried_at_once_too(
    fake: FakeLangfuse, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"):
        monkeypatch.delenv(name)
    endpoint = OtlpEndpoint(endpoint=f"{fake.url}{OTLP_PATH}", headers_env={"Authorization": "OTLP"})
    elsewhere = settings.model_copy(update={"otlp": endpoint})
    monkeypatch.setenv("OTLP", "Bearer wrong")
    spool = open_spool(elsewhere)
    add(spool, 1)
    pass_time(clock, spool, elsewhere, seconds=DAY_S)
    assert spool.breaker("otlp").is_given_up
    monkeypatch.setenv("OTLP", f"Bearer {OTLP_TOKEN}")
    (found,) = ship(spool, elsewhere, only_due=True)
    assert found.delivered == 1


def test_the_mark_tells_no_key(settings: Settings) -> None:
    assert len(mark("langfuse", settings)) == 4
    assert mark("langfuse", settings) != mark("otlp", settings)


def test_a_day_out_of_reach_is_no_day_of_refusals(
    fake: FakeLangfuse, spool: Spool, settings: Settings, clock: Clock
) -> None:
    add(spool, 1)
    fake.behaviour = 429
    shipped(spool, settings)
    fake.behaviour = "cut"
    pass_time(clock, spool, settings, seconds=DAY_S)
    fake.behaviour = 429
    pass_time(clock, spool, settings, seconds=HOUR_S)
    assert not spool.breaker("langfuse").is_given_up


def test_two_refusals_a_day_apart_are_no_day_of_refusals(
    fake: FakeLangfuse, spool: Spool, settings: Settings, clock: Clock
) -> None:
    add(spool, 1)
    fake.behaviour = 429
    shipped(spool, settings)
    clock.now += DAY_S
    shipped(spool, settings)
    assert not spool.breaker("langfuse").is_given_up


def test_who_has_other_keys_is_left_alone_for_their_own_failures(
    fake: FakeLangfuse, spool: Spool, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(spool, 1)
    fake.behaviour = 401
    for _ in range(20):
        clock.now += REST_S
        for key in ("sk-lf-wrong", "sk-lf-wrong-too"):
            monkeypatch.setenv("LANGFUSE_SECRET_KEY", key)
            shipped(spool, settings, only_due=True)
    # A minute: after 0, 3, 9, 21 and 45 seconds, each.
    assert len(fake.requests) == 2 * 5
