"""Which traces are kept, how long, and how much of the disk they may take."""

from __future__ import annotations

import sqlite3
import time

from rag.sections import Tracing
from rag.types import Trace

DAY_S = 86_400.0
# Of a file that is too large so much goes in each step, lest every new trace has to make room.
SHARE_LET_GO = 0.1
# At once, so that nobody waits long for it: where there is more to do, it goes on a minute later.
AT_ONCE = 500
# What waits to be delivered, wherever to, stays, whatever its age. Rated ones go last: they are what the rest was kept
# for.
_WAITS = "EXISTS (SELECT 1 FROM outbox p WHERE p.trace_id = t.id AND p.state = 'pending')"
_HELD = f"""
SELECT t.id FROM held h JOIN traces t ON t.id = h.trace_id
WHERE t.started_at < ? AND NOT EXISTS (SELECT 1 FROM feedback f WHERE f.trace_id = t.id) AND NOT {_WAITS} LIMIT ?
"""  # noqa: S608 - nothing from outside
_OLD = f"SELECT t.id FROM traces t WHERE t.started_at < ? AND NOT {_WAITS} LIMIT ?"  # noqa: S608 - nothing from outside
_OLDEST = f"""
SELECT t.id FROM traces t WHERE NOT {_WAITS}
ORDER BY EXISTS (SELECT 1 FROM feedback f WHERE f.trace_id = t.id), t.started_at
LIMIT ?
"""  # noqa: S608 - nothing from outside
_COUNT = "SELECT count(*) FROM traces"


def is_sampled(trace: Trace, rules: Tracing) -> bool:
    """Whether a trace is kept for its own sake; the same answer for the same trace everywhere."""
    return _is_of_interest(trace, rules) or int(trace.id[:8], 16) < rules.sample * 0x1_0000_0000


def _is_of_interest(trace: Trace, rules: Tracing) -> bool:
    facts, cost = trace.attributes, trace.attributes.get("cost")
    share = facts.get("supported_share")
    return (
        trace.name != "ask"
        or trace.status != "ok"
        or bool(facts.get("abstained"))
        or (isinstance(share, int | float) and share < 1)
        or trace.ended_at - trace.started_at > rules.slow_s
        or (rules.expensive > 0 and isinstance(cost, int | float) and cost > rules.expensive)
    )


def is_due(db: sqlite3.Connection, *, every_s: float) -> bool:
    """Whether it is time to let go of some again; noted in the file, as many processes live shortly."""
    found = db.execute("SELECT at FROM pruning").fetchone()
    return found is None or abs(time.time() - found[0]) > every_s


def prune(db: sqlite3.Connection, rules: Tracing) -> int:
    """Let go of what is too old, was held for a rating that did not come, or is too much; returns how many traces."""
    now = time.time()
    gone = _forget(db, _ids(db, _HELD, now - rules.unsampled_hours * 3600, AT_ONCE))
    if rules.keep_days:
        gone += _forget(db, _ids(db, _OLD, now - rules.keep_days * DAY_S, AT_ONCE))
    gone += _make_room(db, rules.max_mb * 1_000_000, most=AT_ONCE)
    # Due again at the next look, where there is more to do.
    db.execute("INSERT OR REPLACE INTO pruning VALUES (1, ?)", (0.0 if gone >= AT_ONCE else now,))
    return gone


def _make_room(db: sqlite3.Connection, max_bytes: float, *, most: int) -> int:
    """Let go of the oldest until the file holds no more than that; 0 is no bound."""
    gone = 0
    while max_bytes and held_bytes(db) > max_bytes and gone < most:
        share = int(db.execute(_COUNT).fetchone()[0] * SHARE_LET_GO)
        found = _ids(db, _OLDEST, max(1, min(most - gone, share)))
        if not found:
            break
        gone += _forget(db, found)
    return gone


def _ids(db: sqlite3.Connection, query: str, *values: float) -> list[str]:
    return [found for (found,) in db.execute(query, values)]


def held_bytes(db: sqlite3.Connection) -> int:
    """What the file holds; pages that are free again are used before it grows."""
    size, pages, free = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    return int(size * (pages - free))


def _forget(db: sqlite3.Connection, ids: list[str]) -> int:
    wanted = [(one,) for one in ids]
    db.executemany("DELETE FROM traces WHERE id = ?", wanted)
    for table in ("feedback", "outbox", "held", "sent_scores", "signals", "triage"):
        db.executemany(f"DELETE FROM {table} WHERE trace_id = ?", wanted)  # noqa: S608 - names of ours
    return len(ids)
