"""The SQLite file behind the spool: its tables, one transaction at a time, and what its errors mean.

Reading opens the file and closes it again: nothing is shared between threads. Writing has one connection that stays
open (`wal.Writer`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rag.observe.outbox import TURN
from rag.wal import Schema, connect, translated

VERSION = 5
BUSY_S = 5.0
_FEEDBACK = """
CREATE TABLE IF NOT EXISTS feedback (
    trace_id TEXT NOT NULL, user TEXT NOT NULL, up INTEGER, reasons TEXT NOT NULL, comment TEXT NOT NULL,
    correction TEXT NOT NULL, citations TEXT NOT NULL, created_at REAL NOT NULL{changed},
    PRIMARY KEY (trace_id, user)
);
CREATE TABLE IF NOT EXISTS sent_scores (trace_id TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (trace_id, id));
CREATE TABLE IF NOT EXISTS pruning (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS triage (trace_id TEXT PRIMARY KEY, state TEXT NOT NULL, decided_at REAL NOT NULL);
"""
_CHANGED = "changed_at REAL NOT NULL DEFAULT 0"
_SIGNALS = """
CREATE TABLE IF NOT EXISTS signals (trace_id TEXT NOT NULL, signal TEXT NOT NULL, at REAL NOT NULL{citation});
CREATE INDEX IF NOT EXISTS signals_by_trace ON signals (trace_id);
"""
_CITATION = "citation INTEGER NOT NULL DEFAULT 0"
# What a trace is found by, besides; traces of a file of the first version lack it: to read each would take long.
_FACTS = """
    cost REAL, models TEXT NOT NULL DEFAULT '', prompts TEXT NOT NULL DEFAULT '',
    given_before TEXT NOT NULL DEFAULT '', index_version TEXT NOT NULL DEFAULT '',
    user TEXT NOT NULL DEFAULT '', session TEXT NOT NULL DEFAULT ''
"""
_TAGS = "tags TEXT NOT NULL DEFAULT '[]'"
# What goes where, and how far it came: `tries` are failures of the server since it last took another item of the kind,
# `behind` counts how often it did that, and until `next_try_at` the item waits. `held` are traces that go nowhere
# unless somebody rates them; `breakers` tell of destinations that failed lately, and when all processes may try again.
_OUTBOX = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY, destination TEXT NOT NULL, kind TEXT NOT NULL, trace_id TEXT NOT NULL, state TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT ''{tries},
    UNIQUE (trace_id, kind, destination)
);
CREATE TABLE IF NOT EXISTS held (trace_id TEXT PRIMARY KEY);
"""
_BREAKERS = """
CREATE TABLE IF NOT EXISTS breakers (
    destination TEXT NOT NULL, failures INTEGER NOT NULL, reason TEXT NOT NULL, failed_at REAL NOT NULL,
    next_try_at REAL NOT NULL, refused_since REAL NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (destination, mark)
);
"""
_TRIES = (
    "tries INTEGER NOT NULL DEFAULT 0",
    "behind INTEGER NOT NULL DEFAULT 0",
    "next_try_at REAL NOT NULL DEFAULT 0",
)
_PENDING = f"""
CREATE INDEX IF NOT EXISTS outbox_pending ON outbox (destination, {TURN}, id) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS outbox_tried ON outbox (destination) WHERE state = 'pending' AND tries > 0;
"""
_SCRIPT = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS traces (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, started_at REAL NOT NULL, duration_ms REAL NOT NULL,
    status TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, abstained INTEGER NOT NULL,
    supported_share REAL, body TEXT NOT NULL, {_FACTS}, {_TAGS}
);
CREATE INDEX IF NOT EXISTS traces_by_time ON traces (started_at);
{_FEEDBACK.format(changed=f", {_CHANGED}")}
{_SIGNALS.format(citation=f", {_CITATION}")}
{_OUTBOX.format(tries=", " + ", ".join(_TRIES))}
{_BREAKERS}
{_PENDING}
PRAGMA user_version = {VERSION};
COMMIT;
"""
# Until then there was one thumb and one comment for each trace.
_ADDED = ";\n".join(f"ALTER TABLE traces ADD COLUMN {fact}" for fact in _FACTS.split(",")) + ";"
_FROM_1 = f"""
ALTER TABLE feedback RENAME TO feedback_1;
{_FEEDBACK.format(changed="")}
{_SIGNALS.format(citation="")}
INSERT INTO feedback SELECT trace_id, '', up, '[]', comment, '', '{{}}', created_at FROM feedback_1;
INSERT INTO sent_scores SELECT trace_id, 'user-feedback-' || trace_id FROM feedback_1;
DROP TABLE feedback_1;
CREATE INDEX IF NOT EXISTS outbox_by_trace ON outbox (trace_id);
{_ADDED}
PRAGMA user_version = 2
"""  # noqa: S608 - nothing from outside
# Until then there was one destination, and a row for what was local or held too; signals were of whole answers.
_FROM_2 = f"""
ALTER TABLE signals ADD COLUMN {_CITATION};
DROP INDEX IF EXISTS outbox_by_state;
DROP INDEX IF EXISTS outbox_by_trace;
ALTER TABLE outbox RENAME TO outbox_2;
{_OUTBOX.format(tries="")}
INSERT INTO outbox SELECT id, 'langfuse', kind, trace_id, state, revision, iif(state = 'failed', reason, '')
    FROM outbox_2 WHERE state IN ('pending', 'delivered', 'failed');
INSERT INTO held SELECT trace_id FROM outbox_2 WHERE kind = 'trace' AND state = 'held';
DROP TABLE outbox_2;
PRAGMA user_version = 3
"""  # noqa: S608 - nothing from outside
# Until then there were no tags, the oldest was always the next, and when somebody changed their feedback was not kept.
_FROM_3 = f"""
ALTER TABLE traces ADD COLUMN {_TAGS};
ALTER TABLE feedback ADD COLUMN {_CHANGED};
UPDATE feedback SET changed_at = created_at;
{"".join(f"ALTER TABLE outbox ADD COLUMN {column};" for column in _TRIES)}
DROP INDEX IF EXISTS outbox_pending;
{_PENDING}
PRAGMA user_version = 4
"""  # noqa: S608 - nothing from outside
# Until then no destination was ever given up, and a breaker was for all keys. Who failed lately is tried once more.
_FROM_4 = f"""
DROP TABLE IF EXISTS breakers;
{_BREAKERS}
PRAGMA user_version = 5
"""
SCHEMA = Schema(script=_SCRIPT, version=VERSION, upgrades={1: _FROM_1, 2: _FROM_2, 3: _FROM_3, 4: _FROM_4})
EXPECTED = "a usable file of traces"


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to read from; a file that isn't there reads as an empty one and isn't made."""
    there = path if path.exists() else None
    with translated(path, expected=EXPECTED), closing(connect(there, SCHEMA, wait_s=BUSY_S)) as db:
        yield db
