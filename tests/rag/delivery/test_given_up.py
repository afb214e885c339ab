"""Destinations that turn us away: asked again for a day, then by nobody until somebody wants it or the keys change."""

from __future__ import annotations

import time

import pytest
from delivering import add, numbers, shipped
from hand_clock import Clock
from langfuse_server import OTLP_PATH, OTLP_TOKEN, PUBLIC_KEY, FakeLangfuse

from rag.observe.breakers import CLOSED, GIVE_UP_S, Breaker
from rag.observe.destinations import mark
from rag.observe.ship import LONGEST_REST_S, ship
from rag.observe.spool import Spool, open_spool
from rag.sections import OtlpEndpoint
from rag.settings import Settings

HOUR_S = 3600
DAY_S = GIVE_UP_S + LONGEST_REST_S


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    hands = Clock(now=time.time())
    monkeypatch.setattr("rag.observe.outbox.time.time", hands)
    return hands


def pass_time(clock: Clock, spool: Spool, settings: Settings, *, seconds: float, step: float = LONGEST_REST_S) -> None:
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
    pass_time(clock, spool, settings, seconds=LONGEST_REST_S)
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
    pass_time(clock, spool, settings, seconds=2 * LONGEST_REST_S)
    assert numbers(fake) == [1]


def test_who_asks_for_it_begins_a_new_day(
    fake: FakeLangfuse, given_up: Spool, settings: Settings, clock: Clock
) -> None:
    shipped(given_up, settings)
    assert not given_up.breaker("langfuse").is_given_up
    assert given_up.breaker("langfuse").failures == 1
    fake.behaviour = "ok"
    pass_time(clock, given_up, settings, seconds=LONGEST_REST_S)
    assert numbers(fake) == [1, 2]


def test_other_keys_are_tried_at_once(
    fake: FakeLangfuse, given_up: Spool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = len(fake.requests)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-wrong-too")
    assert "given up" not in shipped(given_up, settings, only_due=True).reason
    assert len(fake.requests) == asked + 1
    assert given_up.breaker("langfuse").failures == 1
    monkeypatch.undo()
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", PUBLIC_KEY)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-very-secret")
    fake.behaviour = "ok"
    assert shipped(given_up, settings, only_due=True).delivered == 2


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


def test_failures_of_other_kinds_neither_begin_nor_end_the_day() -> None:
    down = CLOSED.failed("down", wait_s=1)
    assert down.refused_since == 0
    refused = down.failed("no", wait_s=1, is_refusal=True)
    assert refused.failed("down", wait_s=1).refused_since == refused.refused_since > 0


def test_a_breaker_of_an_earlier_version_has_no_day() -> None:
    assert not Breaker(failures=99, failed_at=time.time(), reason="401").is_given_up
