"""What people say of answers, in the file of traces: one row a person and trace."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from rag.types import Feedback

_COLUMNS = "trace_id, user, up, reasons, comment, correction, citations, created_at, changed_at"
_PUT = f"""
INSERT INTO feedback ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (trace_id, user) DO UPDATE SET up = excluded.up, reasons = excluded.reasons, comment = excluded.comment,
    correction = excluded.correction, citations = excluded.citations, changed_at = excluded.changed_at
"""  # noqa: S608 - names of columns, nothing from outside
_OF_TRACE = f"SELECT {_COLUMNS} FROM feedback WHERE trace_id = ? ORDER BY changed_at, user"  # noqa: S608

_RATED_DOWN = """
SELECT 1 FROM feedback f JOIN traces t ON t.id = f.trace_id
WHERE f.up = 0 AND (t.id = :id OR t.given_before = :id) LIMIT 1
"""


def put(db: sqlite3.Connection, feedback: Feedback) -> None:
    """Keep what a person says in the place of what they said before; `created_at` stays that of the first."""
    reasons = json.dumps(feedback.reasons)
    citations = json.dumps({str(marker): up for marker, up in sorted(feedback.citations.items())})
    words = (feedback.comment, feedback.correction)
    times = (feedback.created_at, feedback.changed_at)
    db.execute(_PUT, (feedback.trace_id, feedback.user, feedback.up, reasons, *words, citations, *times))


def of_trace(db: sqlite3.Connection, trace_id: str) -> list[Feedback]:
    """What everyone says of a trace, who said something new last comes last; what was taken back is empty."""
    return [_feedback(row) for row in db.execute(_OF_TRACE, (trace_id,))]


def is_rated_down(db: sqlite3.Connection, trace_id: str) -> bool:
    """Whether somebody rated the answer of this trace down, there or where it was given again."""
    return db.execute(_RATED_DOWN, {"id": trace_id}).fetchone() is not None


def note_sent(db: sqlite3.Connection, trace_id: str, ids: Sequence[str]) -> list[str]:
    """Note the ids of scores that are about to be sent; returns those sent before that are no longer among them."""
    db.executemany("INSERT OR IGNORE INTO sent_scores VALUES (?, ?)", [(trace_id, one) for one in ids])
    known = db.execute("SELECT id FROM sent_scores WHERE trace_id = ? ORDER BY id", (trace_id,))
    return [one for (one,) in known if one not in ids]


def forget_sent(db: sqlite3.Connection, trace_id: str, ids: Sequence[str]) -> None:
    """Forget scores that the server no longer has."""
    db.executemany("DELETE FROM sent_scores WHERE trace_id = ? AND id = ?", [(trace_id, one) for one in ids])


def _feedback(row: sqlite3.Row | tuple[object, ...]) -> Feedback:
    trace_id, user, up, reasons, comment, correction, citations, created_at, changed_at = row
    return Feedback(
        trace_id=str(trace_id),
        user=str(user),
        up=None if up is None else bool(up),
        reasons=tuple(json.loads(str(reasons))),
        comment=str(comment),
        correction=str(correction),
        citations={int(marker): thumb for marker, thumb in json.loads(str(citations)).items()},
        created_at=float(str(created_at)),
        changed_at=float(str(changed_at)),
    )
