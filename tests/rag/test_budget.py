"""The ledger: what is reserved, settled, expired, counted a day and refused, in one file."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hand_clock import Clock

from rag.budget.amount import Amount
from rag.budget.bounds import Budget
from rag.budget.ledger import Held, Ledger
from rag.budget.purse import Purse
from rag.budget.refusal import Wanted
from rag.errors import BudgetExceeded, ConfigError, StoreError

# 2026-11-26 23:59:50 UTC.
LATE = 1_795_737_590.0
NOTHING = Amount()


@pytest.fixture
def clock() -> Clock:
    return Clock(LATE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "budget.db"


def wanted(tokens: int, cost: int | None = 0, *, user: str = "anna", least: int = 0) -> Wanted:
    worst = Amount(tokens=tokens, cost=cost)
    return Wanted(model="fake:small", user=user, worst=worst, least=Amount(tokens=least), hold_s=600)


def reserve(ledger: Ledger, tokens: int, *, user: str = "anna", turn: int = 0, least: int = 0) -> Held:
    return ledger.reserve(wanted(tokens, user=user, least=least), turn=Amount(tokens=turn))


def refused(ledger: Ledger, tokens: int, *, user: str = "anna", turn: int = 0) -> BudgetExceeded:
    with pytest.raises(BudgetExceeded) as raised:
        reserve(ledger, tokens, user=user, turn=turn)
    return raised.value


def test_a_reservation_counts_until_its_call_is_settled(file: Path, clock: Clock) -> None:
    ledger = Ledger(file, Budget(day_tokens=1000), clock=clock)
    held = reserve(ledger, 700)
    refused(ledger, 301)
    ledger.settle(held, Amount(tokens=200))
    assert ledger.used().used == Amount(tokens=200)
    reserve(ledger, 800)
    refused(ledger, 1)
    # Another one on the same file goes on from there.
    refused(Ledger(file, Budget(day_tokens=1000), clock=clock), 1)


def test_each_bound_counts_its_own(file: Path, clock: Clock) -> None:
    ledger = Ledger(file, Budget(turn_tokens=100, user_day_tokens=250, day_tokens=400), clock=clock)
    assert refused(ledger, 60, turn=50).bound == "turn_tokens"
    reserve(ledger, 100)
    reserve(ledger, 100)
    assert refused(ledger, 60).bound == "user_day_tokens"
    reserve(ledger, 100, user="ben")
    reserve(ledger, 90, user="")
    # Who may not ask any more today at all is told so, and not that the question is too long.
    assert refused(ledger, 60, turn=50).bound == "day_tokens"
    used = ledger.used()
    assert used.used == Amount(tokens=390)
    assert used.users == {"anna": Amount(tokens=200), "ben": Amount(tokens=100), "": Amount(tokens=90)}
    assert used.under_way == used.users


def test_a_day_is_one_of_utc(file: Path, clock: Clock) -> None:
    ledger = Ledger(file, Budget(day_tokens=1000, user_day_tokens=1000), clock=clock)
    held = reserve(ledger, 900)
    refused(ledger, 200)
    clock.now += 10
    assert ledger.used().day == "2026-11-27"
    reserve(ledger, 1000)
    # What began before midnight counts for the day before.
    ledger.settle(held, Amount(tokens=50))
    assert ledger.used("2026-11-26").used == Amount(tokens=50)
    assert ledger.used().used == Amount(tokens=1000)


def test_days_that_are_further_back_are_forgotten(file: Path, clock: Clock) -> None:
    ledger = Ledger(file, Budget(day_tokens=1000, keep_days=2), clock=clock)
    for _ in range(4):
        ledger.settle(reserve(ledger, 10), Amount(tokens=10))
        clock.now += 86_400
    days = [f"2026-11-{day}" for day in range(26, 30)]
    assert [ledger.used(day).used.tokens for day in days] == [0, 10, 10, 10]
    assert [ledger.used(day).users for day in days[:1]] == [{}]


def test_a_reservation_that_nobody_settles_expires(file: Path, clock: Clock) -> None:
    clock.now -= 40_000
    ledger = Ledger(file, Budget(day_tokens=1000), clock=clock)
    held = reserve(ledger, 900, least=100)
    clock.now += 599
    refused(ledger, 200)
    clock.now += 1
    other = reserve(ledger, 200)
    used = ledger.used()
    assert (used.used.tokens, used.under_way["anna"].tokens) == (300, 200)
    # Its process was alive nevertheless: what it really took is counted, and nobody else's.
    ledger.settle(held, Amount(tokens=800))
    assert ledger.used().used.tokens == 1000
    ledger.settle(other, NOTHING)
    assert ledger.used().used.tokens == 800


def test_money_is_counted_exactly(file: Path, clock: Clock) -> None:
    ledger = Ledger(file, Budget(day_cost=0.3), clock=clock)
    for _ in range(3):  # 0.1 + 0.1 + 0.1 > 0.3 in floating point
        ledger.reserve(wanted(1, 100_000_000), turn=NOTHING)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(wanted(1, 1), turn=NOTHING)
    assert ledger.used().used.money == 0.3


@pytest.mark.parametrize(
    ("budget", "used", "asked", "told"),
    [
        (
            Budget(user_day_tokens=50_000),
            49_000,
            1_523,
            "fake:small is not asked: the call may take 1,523 tokens, and 49,000 of today's 50,000 tokens for"
            " user 'anna' are used or reserved; expected room in budget.user_day_tokens for its prompt and its longest"
            " answer; wait until 2026-11-27 00:00 UTC, when nothing is used any more, or raise"
            " budget.user_day_tokens in plumbline.toml",
        ),
        (Budget(day_tokens=100), 50, 60, "50 of today's 100 tokens for all users are used or reserved"),
        (Budget(day_tokens=100), 0, 101, "lower generate.max_tokens or context.budget_tokens: the call is larger than"),
    ],
)
def test_a_refusal_says_which_bound_how_much_until_when_and_what_to_do(
    file: Path, budget: Budget, used: int, asked: int, told: str
) -> None:
    ledger = Ledger(file, budget, clock=Clock(LATE))
    ledger.settle(reserve(ledger, used), Amount(tokens=used))
    error = refused(ledger, asked)
    assert told in str(error)
    assert (error.exit_code, error.retryable) == (1, False)


def test_a_refusal_tells_money_in_the_currency_of_the_prices(file: Path, clock: Clock) -> None:
    ledger = Ledger(file, Budget(turn_cost=0.02), clock=clock)
    with pytest.raises(BudgetExceeded) as raised:
        ledger.reserve(wanted(900, 12_500_000), turn=Amount(tokens=800, cost=11_000_000))
    told = str(raised.value)
    assert "the call may take 0.0125, and 0.011 of this question's 0.02 are used or reserved" in told
    assert told.endswith("raise budget.turn_cost in plumbline.toml; the next question begins with nothing used")


def test_an_unknown_cost_is_not_guessed(file: Path, clock: Clock) -> None:
    ledger = Ledger(file, Budget(day_tokens=1000), clock=clock)
    ledger.settle(ledger.reserve(wanted(10, None), turn=NOTHING), Amount(tokens=10, cost=None))
    ledger.settle(ledger.reserve(wanted(10, 5), turn=NOTHING), Amount(tokens=10, cost=5))
    assert ledger.used().used == Amount(tokens=20, cost=None)
    with pytest.raises(ConfigError, match=r"fake:small has no price, and budget\.day_cost bounds money"):
        Ledger(file, Budget(day_cost=1), clock=clock).reserve(wanted(10, None), turn=NOTHING)


def test_a_purse_sums_the_calls_of_its_turn(file: Path, clock: Clock) -> None:
    ledger = Ledger(file, Budget(turn_tokens=100, day_tokens=1000), clock=clock)
    purse = Purse(ledger, "anna")
    purse.settle(purse.reserve(wanted(60)), Amount(tokens=30))
    purse.reserve(wanted(70))
    with pytest.raises(BudgetExceeded):
        purse.reserve(wanted(1))
    assert purse.facts() == {
        "tokens": 100,
        "cost": 0.0,
        "left": {"day_tokens": 900, "turn_tokens": 0},
        "refused": {"turn_tokens": 1},
    }
    Purse(ledger, "anna").reserve(wanted(100))


def test_many_threads_use_a_bound_up_and_never_more(file: Path) -> None:
    ledger = Ledger(file, Budget(day_tokens=1000, user_day_tokens=300))
    ready = threading.Barrier(16)

    def hammer(n: int) -> int:
        ready.wait(20)
        passed = 0
        for _ in range(40):
            try:
                held = ledger.reserve(wanted(10, user=f"user {n % 5}"), turn=NOTHING)
            except BudgetExceeded:
                continue
            assert ledger.used().used.tokens <= 1000
            ledger.settle(held, Amount(tokens=5))
            passed += 1
        return passed

    with ThreadPoolExecutor(16) as pool:
        passed = sum(pool.map(hammer, range(16)))
    used = ledger.used()
    assert used.used.tokens == passed * 5
    assert 990 < used.used.tokens <= 1000
    assert all(amount.tokens <= 300 for amount in used.users.values())
    assert used.under_way == {}


def test_a_file_that_is_moved_away_is_begun_anew(file: Path, clock: Clock) -> None:
    ledger = Ledger(file, Budget(day_tokens=100), clock=clock)
    held = reserve(ledger, 90)
    for each in file.parent.iterdir():
        each.rename(each.with_name(f"old-{each.name}"))
    reserve(ledger, 100)
    ledger.settle(held, NOTHING)
    assert ledger.used().used == Amount(tokens=100)


def test_a_file_that_is_none_is_told(file: Path, clock: Clock) -> None:
    file.parent.mkdir()
    file.write_text("no database " * 100)
    with pytest.raises(StoreError, match=r"budget\.db.*move the file away"):
        reserve(Ledger(file, Budget(day_tokens=100), clock=clock), 10)


def test_a_file_of_another_version_is_left_alone(file: Path, clock: Clock) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(StoreError, match="has version 7"):
        reserve(Ledger(file, Budget(day_tokens=100), clock=clock), 10)


def test_a_disk_that_refuses_costs_no_answer(file: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    purse = Purse(Ledger(file, Budget(day_tokens=100), clock=clock), "half a pair \ud800")
    held = purse.reserve(wanted(10, user=purse.user))
    for each in file.parent.iterdir():
        each.unlink()
    file.parent.rmdir()
    file.parent.write_text("no folder")
    purse.settle(held, Amount(tokens=4))
    assert "stays counted as its worst case" in caplog.text
    assert purse.facts()["left"] == {}
