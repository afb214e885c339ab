"""What pays the calls of one turn, which is a question with all that models are asked for it."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import Any

from rag.budget.amount import BILLION, Amount, total
from rag.budget.bounds import Bound
from rag.budget.ledger import Held, Ledger
from rag.budget.refusal import Wanted, unpriced
from rag.errors import BudgetExceeded, StoreError
from rag.roles import CHAT_ROLES, PRICES
from rag.settings import Settings

log = logging.getLogger("plumbline")


class Purse:
    """Reserves and settles the calls of one turn of a user. Safe to share between threads."""

    def __init__(self, ledger: Ledger, user: str) -> None:
        """Nothing is used in this turn yet."""
        # Half a surrogate pair is legal in a str, but not in UTF-8.
        self.user = user.encode("utf-8", "replace").decode()
        self._ledger = ledger
        self._lock = threading.Lock()
        self._calls: dict[str, Amount] = {}
        self._refusals: Counter[str] = Counter()

    def reserve(self, wanted: Wanted) -> Held:
        """Reserve the worst case of a call. Raises BudgetExceeded, ConfigError and StoreError as the ledger does."""
        with self._lock:
            try:
                held = self._ledger.reserve(wanted, turn=self._used())
            except BudgetExceeded as error:
                self._refusals[error.bound] += 1
                raise
            self._calls[held.id] = wanted.worst
            return held

    def settle(self, held: Held, spent: Amount) -> None:
        """Count what a call came to. A disk that refuses it leaves the reservation, and costs no answer."""
        with self._lock:
            self._calls[held.id] = spent
        try:
            self._ledger.settle(held, spent)
        except StoreError as error:
            log.warning("what %s used stays counted as its worst case: %s", held.wanted.model, error)

    def facts(self) -> dict[str, Any]:
        """What the turn used, what is left of each bound, and how often a bound refused a call, as JSON values."""
        with self._lock:
            used, refused = self._used(), dict(self._refusals)
        return {"tokens": used.tokens, "cost": used.money, "left": self._left(used), "refused": refused}

    def _used(self) -> Amount:
        return total(self._calls.values())

    def _left(self, turn: Amount) -> dict[str, float]:
        try:
            used = {"turn": turn, **self._ledger.today(self.user)}
        except StoreError as error:
            log.warning("what is left of the budget is not in the trace: %s", error)
            return {}
        return {bound.setting: left_of(bound, used[bound.span]) for bound in self._ledger.bounds}


def left_of(bound: Bound, used: Amount) -> float:
    """What is left of a bound, in tokens or money; never less than nothing."""
    left = max(bound.limit - bound.of(used), 0)
    return left if bound.kind == "tokens" else left / BILLION


class Purses:
    """Gives out a purse for each turn, where the settings bound anything. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError where money is bounded and the price of a model in a chat role is unknown."""
        self._ledger = open_ledger(settings)
        require_prices(settings, self._ledger.bounds)

    def purse(self, user: str = "") -> Purse | None:
        """A purse for one turn of a user, '' for nobody in particular; None where nothing is bounded."""
        return Purse(self._ledger, user) if self._ledger.bounds else None


def open_ledger(settings: Settings) -> Ledger:
    """The ledger in the data folder."""
    return Ledger(settings.data_path / "budget.db", settings.budget)


def require_prices(settings: Settings, bounds: tuple[Bound, ...]) -> None:
    """Raise ConfigError where a bound on money meets a model in a chat role that has no price."""
    because = next((bound.setting for bound in bounds if bound.kind == "cost"), "")
    names = dict.fromkeys(name for role in CHAT_ROLES for name in settings.roles.candidates(role))
    for name in names if because else ():
        prices = settings.candidate(name)
        missing = [price for price in PRICES if getattr(prices, price) is None]
        if missing:
            raise unpriced(name, " and no ".join(missing), because=because)


def facts_of(purse: Purse | None) -> dict[str, Any]:
    """What a trace tells of a turn; nothing where nothing is bounded."""
    return {"budget": purse.facts()} if purse else {}
