"""Destinations that fail: left alone for a while, given up after a day of refusals; a table of the trace file."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass, fields

from rag.observe.codec import utf8

# No server is left alone for longer than this, and a clock that was set back makes nobody wait longer.
LONGEST_WAIT_S = 3600.0
# A destination that turns us away for so long, for its keys or its quota, is asked no more. A day, as there are quotas
# a day.
GIVE_UP_S = 86_400.0
# And that after so many failures in a row: two on both sides of a night, or of a clock that was set, are no day.
LEAST_FAILURES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """How often in a row a destination failed, why and when it did last, and when it is tried again (Unix seconds).

    `refused_since` is when it turned us away for the first time since it did anything else, 0 where it did not. `mark`
    tells the address and keys it failed with from others (`destinations.mark`), whose failures are their own. It is
    closed, and all is empty, while deliveries succeed or are refused one by one.
    """

    failures: int = 0
    reason: str = ""
    failed_at: float = 0.0
    next_try_at: float = 0.0
    refused_since: float = 0.0
    mark: str = ""

    @property
    def is_given_up(self) -> bool:
        """Whether it turned us away for so long that only somebody who asks for it, or other keys, try it again."""
        is_day = bool(self.refused_since) and self.failed_at - self.refused_since >= GIVE_UP_S
        return is_day and self.failures >= LEAST_FAILURES

    @property
    def is_open(self) -> bool:
        """Whether the destination is still left alone."""
        return self.is_given_up or 0 < self.next_try_at - time.time() <= LONGEST_WAIT_S

    def failed(self, reason: str, *, wait_s: float, is_refusal: bool = False, mark: str = "") -> Breaker:
        """This breaker after one more failure, which leaves the destination alone for so long.

        After it was given up it begins anew.
        """
        before = CLOSED if self.is_given_up else self
        now = time.time()
        return Breaker(
            failures=before.failures + 1,
            reason=utf8(reason),
            failed_at=now,
            next_try_at=now + min(wait_s, LONGEST_WAIT_S),
            refused_since=(before.refused_since or now) if is_refusal else 0.0,
            mark=mark,
        )


CLOSED = Breaker()
_COLUMNS = ", ".join(field.name for field in fields(Breaker))
# What was written last has the highest rowid, whatever the clock says.
_READ = f"""
SELECT {_COLUMNS} FROM breakers WHERE destination = ? AND mark = coalesce(?, mark) ORDER BY rowid DESC LIMIT 1
"""  # noqa: S608 - nothing from outside
_WRITE = f"""
INSERT OR REPLACE INTO breakers (destination, {_COLUMNS}) VALUES (?, {", ".join("?" for _ in fields(Breaker))})
"""  # noqa: S608 - nothing from outside


def read(db: sqlite3.Connection, destination: str, mark: str | None = None) -> Breaker:
    """How a destination is with this address and these keys; without a mark, how it failed last with any."""
    found = db.execute(_READ, (destination, mark)).fetchone()
    return Breaker(**dict(zip((field.name for field in fields(Breaker)), found, strict=True))) if found else CLOSED


def write(db: sqlite3.Connection, destination: str, breaker: Breaker) -> None:
    """Note how a destination is with the address and keys of the breaker's mark."""
    values = [getattr(breaker, field.name) for field in fields(Breaker)]
    db.execute(_WRITE, (destination, *values))


def close(db: sqlite3.Connection, destination: str) -> None:
    """The destination is well."""
    db.execute("DELETE FROM breakers WHERE destination = ?", (destination,))
