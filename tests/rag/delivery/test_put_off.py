"""Items at which a server fails while it takes others: they hold up nobody, and are given up one day, by name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import pytest
from delivering import add, id_of, numbers, rate, shipped
from hand_clock import Clock
from langfuse_server import OTLP_PATH, OTLP_TOKEN, FakeLangfuse, running

from rag.observe.breakers import CLOSED
from rag.observe.outbox import MOST_BEHIND, TRIES, Progress
from rag.observe.ship import Shipped, ship, start_background
from rag.observe.spool import Spool, open_spool
from rag.sections import LangfuseServer, OtlpEndpoint, Tracing
from rag.settings import Settings


def progress(spool: Spool) -> Progress:
    (found,) = spool.progress()
    return found


def failed_often(fake: FakeLangfuse, spool: Spool, settings: Settings, *, number: int = 1) -> None:
    """A server that fails at this trace, until it is the next one's turn."""
    fake.fails_at.add(id_of(number))
    for _ in range(TRIES):
        assert shipped(spool, settings).delivered == 0


def test_a_trace_at_which_the_server_fails_lets_the_others_pass(
    fake: FakeLangfuse, spool: Spool, settings: Settings
) -> None:
    add(spool, 1, 2, 3)
    rate(spool, 1)
    failed_often(fake, spool, settings)
    assert len(fake.requests) == TRIES
    found = shipped(spool, settings)
    assert (found.delivered, found.refused, found.waiting, found.behind) == (2, 0, 2, 1)
    assert "500: no idea what this is" in found.reason
    assert numbers(fake) == [2, 3]
    # Its rating waits with it, and nobody else has to.
    assert fake.scores == []
    assert spool.breaker("langfuse") == CLOSED
    assert list(progress(spool).behind.values()) == [1]
    fake.fails_at.clear()
    assert shipped(spool, settings) == Shipped(destination="langfuse", delivered=2)
    assert numbers(fake) == [2, 3, 1]
    assert [one["traceId"] for one in fake.scores] == [id_of(1)]
    assert progress(spool).behind == {}


@pytest.mark.parametrize("how", ["cut", "half", "hang"])
def test_so_does_one_at_which_it_says_nothing(
    fake: FakeLangfuse, spool: Spool, settings: Settings, how: Literal["cut", "half", "hang"]
) -> None:
    hasty = settings.model_copy(update={"langfuse": LangfuseServer(host=fake.url, timeout_s=0.2)})
    add(spool, 1, 2, 3)
    fake.fails_by = how
    failed_often(fake, spool, hasty)
    assert shipped(spool, hasty).delivered == 2
    assert numbers(fake) == [2, 3]
    ((reason, count),) = progress(spool).behind.items()
    assert ("can't be reached" in reason, count) == (True, 1)


def test_that_our_own_time_was_up_is_not_due_to_the_trace(fake: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    patient = settings.model_copy(update={"langfuse": LangfuseServer(host=fake.url, timeout_s=10)})
    add(spool, 1, 2)
    fake.fails_at, fake.fails_by = {id_of(1)}, "hang"
    # A run may be over before it asks.
    while len(fake.requests) < TRIES:
        assert shipped(spool, patient, budget_s=0.5).delivered == 0
    fake.fails_at.clear()
    assert shipped(spool, patient).delivered == 2
    assert numbers(fake) == [1, 2]


def test_several_of_them_let_the_others_pass_too(fake: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    add(spool, *range(1, 9))
    fake.fails_at = {id_of(number) for number in range(1, 6)}
    for _ in range(5 * TRIES):
        assert shipped(spool, settings).delivered == 0
    assert shipped(spool, settings).delivered == 3
    assert progress(spool).waiting == 5


def test_who_was_put_off_waits_longer_each_time_and_holds_up_nobody(
    fake: FakeLangfuse, spool: Spool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(spool, 1, 2)
    failed_often(fake, spool, settings)
    shipped(spool, settings)
    clock, waited = Clock(now=time.time()), list[float]()
    monkeypatch.setattr("rag.observe.outbox.time.time", clock)
    for number in range(3, 6):
        asked, began = len(fake.requests), clock.now
        while len(fake.requests) == asked:
            clock.now += 10
            shipped(spool, settings, only_due=True)
        waited.append(clock.now - began)
        add(spool, number)
        assert shipped(spool, settings, only_due=True).delivered == 1
    assert waited[0] < waited[1] < waited[2]
    assert numbers(fake) == [2, 3, 4, 5]


def test_after_enough_of_that_it_is_refused_for_good_by_name(
    fake: FakeLangfuse, spool: Spool, settings: Settings
) -> None:
    add(spool, 1, 1_000)
    rate(spool, 1)
    failed_often(fake, spool, settings)
    for number in range(2, MOST_BEHIND + 1):
        found = shipped(spool, settings)
        assert (found.delivered, found.refused, found.waiting) == (1, 0, 2)
        add(spool, number)
    assert shipped(spool, settings).refused == 1
    told = progress(spool)
    # The trace, and its rating with it.
    assert (told.waiting, told.delivered, told.refused) == (0, MOST_BEHIND, 2)
    ((reason, count),) = told.reasons.items()
    assert ("answered 500: no idea what this is" in reason, count) == (True, 2)
    assert spool.trace(id_of(1)).id == id_of(1)
    assert spool.retry_refused() == 2
    fake.fails_at.clear()
    assert shipped(spool, settings) == Shipped(destination="langfuse", delivered=2)
    assert [one["traceId"] for one in fake.scores] == [id_of(1)]


@pytest.mark.parametrize("behaviour", [500, 502, 503, "cut", "half"])
def test_a_server_that_fails_at_all_gives_up_nothing(
    fake: FakeLangfuse, spool: Spool, settings: Settings, behaviour: Any
) -> None:
    add(spool, 1, 2, 3)
    rate(spool, 2)
    fake.behaviour = behaviour
    often = 3 * TRIES * MOST_BEHIND
    for _ in range(often):
        found = shipped(spool, settings)
        assert (found.delivered, found.refused, found.waiting, found.behind) == (0, 0, 4, 0)
    assert len(fake.requests) == often
    assert spool.breaker("langfuse").is_open
    fake.behaviour = "ok"
    assert shipped(spool, settings) == Shipped(destination="langfuse", delivered=4)
    first = {arrival: at for at, arrival in reversed(list(enumerate(fake.arrivals)))}
    assert first["trace", id_of(2)] < first["score", id_of(2)]


@pytest.mark.parametrize("behaviour", [401, 429, 404])
def test_a_server_that_is_set_up_wrongly_says_nothing_of_an_item(
    fake: FakeLangfuse, spool: Spool, settings: Settings, behaviour: int
) -> None:
    add(spool, 1, 2)
    fake.behaviour = behaviour
    for _ in range(2 * TRIES):
        assert shipped(spool, settings).delivered == 0
    fake.behaviour = "ok"
    shipped(spool, settings)
    assert list(dict.fromkeys(numbers(fake))) == [1, 2]
    assert progress(spool).behind == {}


def test_a_server_that_asks_for_time_says_nothing_of_an_item(
    fake: FakeLangfuse, spool: Spool, settings: Settings
) -> None:
    add(spool, 1, 2)
    fake.behaviour, fake.retry_after = 503, "1"
    for _ in range(2 * TRIES):
        shipped(spool, settings)
    fake.behaviour = "ok"
    shipped(spool, settings)
    assert numbers(fake) == [1, 2]


def test_a_rating_at_which_the_server_fails_lets_others_pass(
    fake: FakeLangfuse, spool: Spool, settings: Settings
) -> None:
    add(spool, 1, 2)
    shipped(spool, settings)
    rate(spool, 1)
    rate(spool, 2)
    failed_often(fake, spool, settings)
    assert shipped(spool, settings).delivered == 1
    assert [one["traceId"] for one in fake.scores] == [id_of(2)]
    # One that was changed is another one.
    rate(spool, 1, up=False)
    fake.fails_at.clear()
    assert shipped(spool, settings, only_due=True).delivered == 1


def test_that_traces_fail_is_not_due_to_them_because_ratings_are_taken(
    fake: FakeLangfuse, spool: Spool, settings: Settings
) -> None:
    add(spool, 1, 2)
    shipped(spool, settings)
    add(spool, 3)
    failed_often(fake, spool, settings, number=3)
    rate(spool, 1)
    assert shipped(spool, settings).delivered == 1
    assert progress(spool).behind == {}


def test_one_destination_puts_off_what_the_other_takes(fake: FakeLangfuse, settings: Settings, tmp_path: Path) -> None:
    with running() as other:
        endpoint = OtlpEndpoint(endpoint=f"{other.url}{OTLP_PATH}", headers_env={"Authorization": "OTLP"})
        both = settings.model_copy(update={"otlp": endpoint})
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OTLP", f"Bearer {OTLP_TOKEN}")
            spool = open_spool(both)
            add(spool, 1, 2)
            other.fails_at = {id_of(1)}
            for _ in range(TRIES + 1):
                ship(spool, both)
    assert numbers(fake) == [1, 2]
    assert numbers(other) == [2]


def test_what_was_given_up_goes_with_age(fake: FakeLangfuse, settings: Settings) -> None:
    spool = open_spool(settings.model_copy(update={"trace": Tracing(keep_days=1)}))
    add(spool, 1, 2)
    failed_often(fake, spool, settings)
    for number in range(3, 3 + MOST_BEHIND):
        shipped(spool, settings)
        add(spool, number)
    assert progress(spool).refused == 1
    assert spool.prune() > 0
    assert id_of(1) not in [row.id for row in spool.traces()]


def test_the_background_thread_gets_past_it(
    fake: FakeLangfuse, spool: Spool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.observe.ship.REST_S", 0.05)
    fake.fails_at = {id_of(1)}
    add(spool, 1, 2, 3)
    start_background(spool, settings)
    until = time.monotonic() + 15
    while spool.waiting("langfuse") > 1 and time.monotonic() < until:
        time.sleep(0.05)
    assert numbers(fake) == [2, 3]
