"""The sums of days and users, and the calls under way in them: what a transaction does."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta

from rag.budget.amount import Amount

_ADD_DAY = """
INSERT INTO days (day, tokens, cost, unpriced) VALUES (?, ?, ?, ?) ON CONFLICT (day) DO UPDATE SET
    tokens = tokens + excluded.tokens, cost = cost + excluded.cost, unpriced = unpriced + excluded.unpriced
"""
_ADD_USER = """
INSERT INTO users (day, user, tokens, cost, unpriced) VALUES (?, ?, ?, ?, ?) ON CONFLICT (day, user) DO UPDATE SET
    tokens = tokens + excluded.tokens, cost = cost + excluded.cost, unpriced = unpriced + excluded.unpriced
"""
_HOLD = """
INSERT INTO held (id, day, user, tokens, cost, least_tokens, least_cost, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_EXPIRED = "SELECT id, day, user, tokens, cost, least_tokens, least_cost FROM held WHERE expires_at <= ?"
_GIVE_BACK = "UPDATE held SET tokens = least_tokens, cost = least_cost, expires_at = NULL WHERE id = ?"
_UNDER_WAY = """
SELECT user, sum(tokens), sum(coalesce(cost, 0)), sum(cost IS NULL) FROM held
WHERE day = ? AND expires_at IS NOT NULL GROUP BY user
"""
_USERS = "SELECT user, tokens, cost, unpriced FROM users WHERE day = ? ORDER BY cost DESC, tokens DESC, user"


def add(db: sqlite3.Connection, day: str, user: str, amount: Amount, *, sign: int = 1) -> None:
    """Add to the sums of a day and a user, or take away with the sign -1."""
    values = (sign * amount.tokens, sign * (amount.cost or 0), sign * (amount.cost is None))
    db.execute(_ADD_DAY, (day, *values))
    db.execute(_ADD_USER, (day, user, *values))


def of_day(db: sqlite3.Connection, day: str) -> Amount:
    """What all used on a day."""
    return _summed(db.execute("SELECT tokens, cost, unpriced FROM days WHERE day = ?", (day,)).fetchone())


def of_user(db: sqlite3.Connection, day: str, user: str) -> Amount:
    """What a user used on a day."""
    found = db.execute("SELECT tokens, cost, unpriced FROM users WHERE day = ? AND user = ?", (day, user))
    return _summed(found.fetchone())


def of_users(db: sqlite3.Connection, day: str) -> dict[str, Amount]:
    """What each user used on a day, who used most first."""
    return {user: _summed(sums) for user, *sums in db.execute(_USERS, (day,))}


def under_way(db: sqlite3.Connection, day: str) -> dict[str, Amount]:
    """What is reserved for calls of each user that have not ended."""
    return {user: _summed(sums) for user, *sums in db.execute(_UNDER_WAY, (day,))}


def hold(db: sqlite3.Connection, held: tuple[str, str, str], worst: Amount, least: Amount, expires_at: float) -> None:
    """Note a call under way: its id, its day and its user, what it adds to the sums, and what stays at its expiry."""
    db.execute(_HOLD, (*held, worst.tokens, worst.cost, least.tokens, least.cost, expires_at))


def let_go(db: sqlite3.Connection, identity: str) -> Amount:
    """Forget a call under way; returns what it has added to the sums."""
    row = db.execute("SELECT tokens, cost FROM held WHERE id = ?", (identity,)).fetchone()
    db.execute("DELETE FROM held WHERE id = ?", (identity,))
    return Amount(tokens=row[0], cost=row[1]) if row else Amount()


def expire(db: sqlite3.Connection, now: float) -> None:
    """Of calls whose end nobody told in their time, only the least is counted from now on."""
    for identity, day, user, tokens, cost, least_tokens, least_cost in db.execute(_EXPIRED, (now,)).fetchall():
        add(db, day, user, Amount(tokens=tokens, cost=cost), sign=-1)
        add(db, day, user, Amount(tokens=least_tokens, cost=least_cost))
        db.execute(_GIVE_BACK, (identity,))


def forget(db: sqlite3.Connection, day: str, *, keep_days: int) -> None:
    """With the first call of a day, forget the days that are further back."""
    if db.execute("SELECT 1 FROM days WHERE day = ?", (day,)).fetchone():
        return
    oldest = (date.fromisoformat(day) - timedelta(days=keep_days)).isoformat()
    for table in ("days", "users", "held"):
        db.execute(f"DELETE FROM {table} WHERE day < ?", (oldest,))  # noqa: S608 - a name of ours


def _summed(row: tuple[int, int, int] | list[int] | None) -> Amount:
    tokens, cost, unpriced = row or (0, 0, 0)
    return Amount(tokens=tokens, cost=None if unpriced else cost)
