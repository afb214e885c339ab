"""Times and choices as options of commands, and times for people."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from rag.errors import ConfigError

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
Choice = TypeVar("Choice", bound=str)


def moment(told: str, *, option: str) -> float | None:
    """The Unix time that '2h' ago, '2026-11-26' or '2026-11-26T09:00' tells, None for ''. Raises ConfigError."""
    if not told:
        return None
    if ago := _AGO.fullmatch(told):
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(told).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"{option} is '{told[:40]}'",
            expected="an age as 30m, 2h, 3d, 1w, or a date as 2026-11-26",
            remedy="leave it out for all",
        ) from None


def one_of(told: str, choices: Sequence[Choice], *, option: str, remedy: str = "leave it out for all") -> Choice:
    """The choice that was made. Raises ConfigError."""
    for choice in choices:
        if choice == told:
            return choice
    expected = f"one of {', '.join(filter(None, choices))}"
    raise ConfigError(f"{option} is '{told[:40]}'", expected=expected, remedy=remedy)


def when(seconds: float) -> str:
    """A Unix time for people, in local time."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
