"""What was used, per day and user, in one file for all processes: reserved before a call, settled after it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rag.budget import sums
from rag.budget.amount import Amount
from rag.budget.bounds import Bound, Budget, Span, bounds_of
from rag.budget.database import BudgetFile
from rag.budget.refusal import Wanted, day_of, refusal, unpriced


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A reservation: its id, and the day and the call it counts for."""

    id: str
    day: str
    wanted: Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsed:
    """What was used on a day (YYYY-MM-DD), and of it by each user, calls under way with their worst case.

    `under_way` is the part of these calls by user.
    """

    day: str
    used: Amount
    users: dict[str, Amount]
    under_way: dict[str, Amount]


class Ledger:
    """Counts against the bounds. Safe to share between threads; every method raises StoreError for a bad disk."""

    def __init__(self, path: Path, budget: Budget, *, clock: Callable[[], float] = time.time) -> None:
        """Use the file at `path`; `clock` tells Unix seconds."""
        self.bounds: tuple[Bound, ...] = bounds_of(budget)
        self._keep_days = budget.keep_days
        self._path = path
        self._file = BudgetFile(path)
        self._clock = clock

    def reserve(self, wanted: Wanted, *, turn: Amount) -> Held:
        """Count the worst case of a call, if every bound leaves room for it beside what its turn has used.

        Raises BudgetExceeded where one does not, ConfigError where a bound on money meets an unknown price.
        """
        now = self._clock()
        held = Held(id=secrets.token_hex(8), day=day_of(now), wanted=wanted)
        with self._file.writing() as db:
            sums.expire(db, now)
            day, user = sums.of_day(db, held.day), sums.of_user(db, held.day, wanted.user)
            self._check(wanted, {"turn": turn, "user_day": user, "day": day}, now)
            sums.forget(db, held.day, keep_days=self._keep_days)
            sums.add(db, held.day, wanted.user, wanted.worst)
            whose = (held.id, held.day, wanted.user)
            sums.hold(db, whose, wanted.worst, wanted.least, now + wanted.hold_s)
        return held

    def settle(self, held: Held, spent: Amount) -> None:
        """Put what a call came to in the place of its reservation, also of one that has expired."""
        with self._file.writing() as db:
            sums.add(db, held.day, held.wanted.user, sums.let_go(db, held.id), sign=-1)
            sums.add(db, held.day, held.wanted.user, spent)

    def today(self, user: str) -> dict[Span, Amount]:
        """What is used today by all, and by a user."""
        now = self._clock()
        with self._file.writing() as db:
            sums.expire(db, now)
            return {"day": sums.of_day(db, day_of(now)), "user_day": sums.of_user(db, day_of(now), user)}

    def used(self, day: str = "") -> DayUsed:
        """What was used on a day (YYYY-MM-DD), by default today, with who used most first; makes no file."""
        now = self._clock()
        day = day or day_of(now)
        if not self._path.exists():
            return DayUsed(day=day, used=Amount(), users={}, under_way={})
        with self._file.writing() as db:
            sums.expire(db, now)
            used, users, under_way = sums.of_day(db, day), sums.of_users(db, day), sums.under_way(db, day)
        return DayUsed(day=day, used=used, users=users, under_way=under_way)

    def _check(self, wanted: Wanted, used: dict[Span, Amount], now: float) -> None:
        for bound in self.bounds:
            if bound.kind == "cost" and wanted.worst.cost is None:
                raise unpriced(wanted.model, "price", because=bound.setting)
            before = bound.of(used[bound.span])
            if before + bound.of(wanted.worst) > bound.limit:
                raise refusal(bound, wanted, used=before, now=now)
