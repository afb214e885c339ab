"""A circuit breaker: who failed several times in a row is left alone for a while (Nygard, Release It!, 2007)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

# How a call is let through: as usual, as the one that tries whether things are well again, or not at all.
Pass = Literal["closed", "trial", "open"]


class Breaker:
    """Counts failures in a row. Safe to share between threads."""

    def __init__(self, *, failures: int, open_s: float, clock: Callable[[], float]) -> None:
        """Open for `open_s` seconds of the clock after so many failures in a row."""
        self._limit = failures
        self._open_s = open_s
        self._clock = clock
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._open_until: float | None = None
        self._on_trial = False

    def enter(self) -> Pass:
        """How a call may pass; whoever passes tells by `leave()` how it went, however it ended."""
        with self._lock:
            if self._open_until is None:
                return "closed"
            if self._on_trial or self._clock() < self._open_until:
                return "open"
            self._on_trial = True
            return "trial"

    def leave(self, passed: Pass, *, went_well: bool | None) -> None:
        """Tell how a call went; None says nothing about the model, as when nobody waited for its end."""
        with self._lock:
            if passed == "trial":
                self._on_trial = False
            if went_well:
                self._in_a_row, self._open_until = 0, None
            elif went_well is False:
                self._in_a_row += 1
                if self._in_a_row >= self._limit:
                    self._open_until = self._clock() + self._open_s
