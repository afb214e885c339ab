"""Delivery from a spool to a stand-in server that is well, down, slow or refusing: nothing lost, nobody blocked."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from delivering import add, eventually, numbers, rate, shipped
from langfuse_server import PUBLIC_KEY, SECRET_KEY, FakeLangfuse

from rag.errors import StoreError
from rag.observe.breakers import CLOSED, Breaker
from rag.observe.ship import Shipped, ship, ship_detached, start_background
from rag.observe.spool import Spool
from rag.sections import LangfuseServer
from rag.settings import Settings

ROOT = Path(__file__).parents[3]


def breaker(spool: Spool) -> Breaker:
    return spool.breaker("langfuse")


def test_everything_goes_once_oldest_first(fake: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    add(spool, 1, 2)
    rate(spool, 1, up=True)
    assert shipped(spool, settings) == Shipped(destination="langfuse", delivered=3)
    assert numbers(fake) == [1, 2]
    assert [score["traceId"] for score in fake.scores] == [f"{1:032x}"]
    assert [path.rpartition("/")[2] for path, _ in fake.requests] == ["traces", "traces", "scores"]
    assert {row.delivery for row in spool.traces()} == {"delivered"}
    assert shipped(spool, settings) == Shipped(destination="langfuse")
    assert len(fake.requests) == 3


def test_a_changed_rating_is_delivered_again_under_its_id(fake: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    add(spool, 1)
    rate(spool, 1, up=True)
    shipped(spool, settings)
    rate(spool, 1, up=False)
    assert shipped(spool, settings).delivered == 1
    assert [score["value"] for score in fake.scores] == [1.0, 0.0]
    assert len({(score["id"], score["timestamp"]) for score in fake.scores}) == 1


@pytest.mark.parametrize("behaviour", [401, 403, 404, 429, 500, 503, "hang", "drip", "cut", "page", "redirect"])
def test_a_failing_server_gets_one_request_and_loses_nothing(
    fake: FakeLangfuse, spool: Spool, settings: Settings, behaviour: int
) -> None:
    add(spool, 1, 2, 3)
    rate(spool, 1, up=True)
    fake.behaviour = behaviour
    started = time.monotonic()
    found = shipped(spool, settings)
    assert time.monotonic() - started < 5
    assert (found.delivered, found.refused, found.waiting) == (0, 0, 4)
    assert found.reason == breaker(spool).reason
    assert breaker(spool).is_open
    assert fake.url in found.reason
    assert SECRET_KEY not in found.reason
    assert len(fake.requests) == 1
    fake.behaviour = "ok"
    assert shipped(spool, settings).delivered == 4
    assert breaker(spool) == CLOSED


def test_a_server_that_is_not_there_keeps_all_waiting(spool: Spool, settings: Settings) -> None:
    add(spool, 1)
    away = settings.model_copy(update={"langfuse": LangfuseServer(host="http://127.0.0.1:1")})
    found = shipped(spool, away)
    assert (found.delivered, found.waiting) == (0, 1)
    assert "can't be reached" in found.reason
    assert shipped(spool, settings).delivered == 1


def test_one_refused_trace_holds_up_no_other(fake: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    add(spool, 1, 2, 3)
    rate(spool, 2, up=True)
    fake.refuse_trace = f"{2:032x}"
    found = shipped(spool, settings)
    assert (found.delivered, found.refused, found.waiting) == (2, 1, 0)
    assert "413: too large" in found.reason
    assert numbers(fake) == [1, 3]
    assert fake.scores == []
    assert [row.delivery for row in spool.traces()] == ["delivered", "failed", "delivered"]
    fake.refuse_trace = ""
    assert spool.retry_refused() == 2
    assert shipped(spool, settings).delivered == 2
    assert numbers(fake) == [1, 3, 2]


@pytest.mark.parametrize("behaviour", ["partial", "partial-protobuf", 400, 422])
def test_what_is_refused_is_kept_as_failed(
    fake: FakeLangfuse, spool: Spool, settings: Settings, behaviour: int
) -> None:
    add(spool, 1)
    fake.behaviour = behaviour
    assert shipped(spool, settings).refused == 1
    (progress,) = spool.progress()
    assert (progress.refused, progress.delivered, progress.waiting) == (1, 0, 0)
    assert spool.trace(f"{1:032x}").id


def test_a_rating_that_is_refused_leaves_its_trace_delivered(
    fake: FakeLangfuse, spool: Spool, settings: Settings
) -> None:
    add(spool, 1)
    shipped(spool, settings)
    rate(spool, 1, up=True)
    fake.behaviour = "partial"
    assert shipped(spool, settings).refused == 1
    assert [row.delivery for row in spool.traces()] == ["delivered"]


def test_an_unreadable_trace_holds_up_no_other(fake: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    import sqlite3

    add(spool, 1, 2)
    db = sqlite3.connect(spool.path)
    with db:
        db.execute("UPDATE traces SET body = '{' WHERE id = ?", (f"{1:032x}",))
    db.close()
    found = shipped(spool, settings)
    assert (found.delivered, found.refused) == (1, 1)
    assert numbers(fake) == [2]


def test_the_budget_ends_a_long_run(fake: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    add(spool, *range(10))
    fake.behaviour = "slow"
    found = shipped(spool, settings, budget_s=0.8)
    assert 1 <= found.delivered <= 3
    assert found.waiting == 10 - found.delivered
    assert found.reason
    fake.behaviour = "ok"
    assert shipped(spool, settings).delivered == found.waiting
    assert sorted(set(numbers(fake))) == list(range(10))


def test_without_both_keys_nothing_connects(
    fake: FakeLangfuse, spool: Spool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(spool, 1)
    for missing in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"):
        with monkeypatch.context() as patch:
            patch.setenv(missing, " ")
            assert ship(spool, settings) == []
            start_background(spool, settings)
            ship_detached(settings)
            assert spool.waiting("langfuse") == 1
    assert fake.requests == []


def test_an_empty_spool_connects_to_nothing_and_makes_no_file(
    fake: FakeLangfuse, spool: Spool, settings: Settings
) -> None:
    assert shipped(spool, settings) == Shipped(destination="langfuse")
    assert fake.requests == []
    assert not spool.path.parent.exists()


def test_two_processes_deliver_each_item_once(
    fake: FakeLangfuse, spool: Spool, settings: Settings, tmp_path: Path
) -> None:
    add(spool, *range(12))
    for number in range(12):
        rate(spool, number, up=True)
    script = (
        "import sys; from pathlib import Path; from rag.observe.ship import ship\n"
        "from rag.observe.spool import open_spool; from rag.settings import Settings\n"
        "settings = Settings(root=Path(sys.argv[1]), langfuse={'host': sys.argv[2]})\n"
        "for turn in range(8): print(ship(open_spool(settings), settings)[0].delivered)"
    )
    keys = {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, str(tmp_path), fake.url]
    started = [subprocess.Popen(command, env=keys, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [int(line) for process in started for line in process.communicate(timeout=60)[0].split()]
    assert sum(told) == 24
    assert sorted(numbers(fake)) == list(range(12))
    assert len({score["id"] for score in fake.scores}) == len(fake.scores) == 12


def test_while_another_delivers_one_returns_at_once(fake: FakeLangfuse, spool: Spool, settings: Settings) -> None:
    add(spool, 1)
    fake.behaviour = "hang"
    patient = settings.model_copy(update={"langfuse": LangfuseServer(host=fake.url, timeout_s=20)})
    other = threading.Thread(target=ship, args=(spool, patient))
    other.start()
    assert eventually(lambda: bool(fake.requests))
    started = time.monotonic()
    found = shipped(spool, settings)
    assert time.monotonic() - started < 0.5
    assert found == Shipped(destination="langfuse", waiting=1, reason="another process is delivering")
    add(spool, 2)  # and writing a trace waits for no delivery
    assert time.monotonic() - started < 1
    fake.behaviour = "ok"
    fake.released.set()
    other.join(20)
    assert spool.waiting("langfuse") == 0


def test_a_spool_that_cannot_be_used_is_told(spool: Spool, settings: Settings) -> None:
    spool.path.parent.mkdir()
    spool.path.write_text("not a database at all, but long enough to be looked at " * 20)
    with pytest.raises(StoreError, match="not a database"):
        shipped(spool, settings)


def test_the_background_thread_delivers_and_survives_failures(
    fake: FakeLangfuse, spool: Spool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.observe.ship.REST_S", 0.05)
    fake.behaviour = 500
    add(spool, 1)
    started = time.monotonic()
    start_background(spool, settings)
    assert time.monotonic() - started < 0.2
    assert eventually(lambda: len(fake.requests) >= 2)
    fake.behaviour = "ok"
    assert eventually(lambda: spool.waiting("langfuse") == 0)
    rate(spool, 1, up=False)
    assert eventually(lambda: len(fake.scores) == 1)


def test_a_detached_process_is_started_at_once_and_left_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = tmp_path / "python"
    witness.write_text(
        f'#!/bin/sh\necho "$@" "$PYTHONPATH" > {tmp_path}/seen.tmp\nmv {tmp_path}/seen.tmp {tmp_path}/seen\n'
    )
    witness.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(witness))
    started = time.monotonic()
    ship_detached(settings)
    assert time.monotonic() - started < 0.25
    assert eventually((tmp_path / "seen").exists)
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith(f"-P -m rag.cli traces ship --due --quiet {ROOT}")


def test_a_process_that_cannot_start_disturbs_nobody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    ship_detached(settings)
