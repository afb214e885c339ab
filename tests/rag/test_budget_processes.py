"""The ledger shared by processes, also by one that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hand_clock import Clock

from rag.budget.amount import Amount
from rag.budget.bounds import Budget
from rag.budget.ledger import Ledger
from rag.budget.refusal import Wanted
from rag.errors import BudgetExceeded

BEGIN = """
import sys, time
from pathlib import Path
from rag.budget.amount import Amount
from rag.budget.bounds import Budget
from rag.budget.ledger import Ledger
from rag.budget.refusal import Wanted
from rag.errors import BudgetExceeded

now = float(sys.argv[3])
ledger = Ledger(Path(sys.argv[1]), Budget(day_tokens=20_000), clock=lambda: now)
wanted = Wanted(model="m", user=sys.argv[2], worst=Amount(tokens=100), least=Amount(tokens=30), hold_s=600)
"""
# Calls that take half of their worst case, until none is paid any more; the first one before the start.
HAMMER = """
passed = 0
while True:
    try:
        held = ledger.reserve(wanted, turn=Amount())
    except BudgetExceeded:
        break
    if not passed:
        print("ready", flush=True)
        sys.stdin.readline()
    time.sleep(0.0005)
    ledger.settle(held, Amount(tokens=50))
    passed += 1
print(passed)
"""
STUCK = """
ledger.reserve(wanted, turn=Amount())
print("held", flush=True)
time.sleep(600)
"""


# 2026-11-26 12:00:00 UTC.
NOON = 1_795_694_400.0


def started(file: Path, user: str, code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BEGIN + code, str(file), user, str(NOON)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_two_processes_together_use_a_bound_up_and_never_more(tmp_path: Path) -> None:
    file = tmp_path / "budget.db"
    ledger = Ledger(file, Budget(day_tokens=20_000), clock=lambda: NOON)
    both = [started(file, user, HAMMER) for user in ("anna", "ben")]
    assert [line_of(process) for process in both] == ["ready", "ready"]
    for process in both:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    seen = []
    while any(process.poll() is None for process in both):
        seen.append(ledger.used().used.tokens)
        time.sleep(0.002)
    passed = sum(int(process.communicate(timeout=60)[0]) for process in both)
    used = ledger.used()
    assert max(seen, default=0) <= 20_000
    assert used.used.tokens == passed * 50
    assert 20_000 - 150 <= used.used.tokens <= 20_000
    assert {user: amount.tokens > 0 for user, amount in used.users.items()} == {"anna": True, "ben": True}


def test_what_a_killed_process_had_reserved_expires(tmp_path: Path) -> None:
    file = tmp_path / "budget.db"
    clock = Clock(NOON)
    ledger = Ledger(file, Budget(day_tokens=150), clock=clock)
    stuck = started(file, "anna", STUCK)
    assert line_of(stuck) == "held"
    stuck.send_signal(signal.SIGKILL)
    stuck.communicate(timeout=60)
    wanted = Wanted(model="m", user="ben", worst=Amount(tokens=100), least=Amount(), hold_s=600)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(wanted, turn=Amount())
    clock.now += 601
    # Its prompt was sent, and stays counted.
    assert ledger.used().used == Amount(tokens=30)
    assert ledger.used().under_way == {}
    ledger.reserve(wanted, turn=Amount())
