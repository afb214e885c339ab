"""Trace files of earlier versions are lifted to this one, with all that waits in them."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from observed import TRACE_ID, ask_trace

from rag.observe.breakers import CLOSED
from rag.observe.codec import encode
from rag.observe.filter import Filter
from rag.observe.outbox import Progress
from rag.observe.spool import Spool
from rag.sections import Tracing
from rag.types import Feedback

# Written by the last commit that made files of the second version: 1 is delivered and rated anew, 2 refused with its
# rating, 3 was tried in vain, 4 recorded without an account, 5 left out by trace.sample.
SECOND_VERSION = (Path(__file__).parent / "traces_version_2.sql").read_text(encoding="utf-8")
FIRST_VERSION = """
CREATE TABLE traces (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, started_at REAL NOT NULL, duration_ms REAL NOT NULL,
    status TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, abstained INTEGER NOT NULL,
    supported_share REAL, body TEXT NOT NULL
);
CREATE TABLE feedback (
    trace_id TEXT PRIMARY KEY, up INTEGER NOT NULL, comment TEXT NOT NULL, created_at REAL NOT NULL
);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, trace_id TEXT NOT NULL, state TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', tried_at REAL NOT NULL DEFAULT 0,
    UNIQUE (kind, trace_id)
);
PRAGMA user_version = 1;
"""

FOURTH_VERSION = """
DROP TABLE breakers;
CREATE TABLE breakers (
    destination TEXT PRIMARY KEY, failures INTEGER NOT NULL, reason TEXT NOT NULL, failed_at REAL NOT NULL,
    next_try_at REAL NOT NULL
);
INSERT INTO breakers VALUES ('otlp', 9, 'down', 1, 2);
PRAGMA user_version = 4;
"""


def test_a_file_of_the_first_version_is_lifted(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    body = encode(ask_trace(attributes={"cost": 0.5, "user_id": "ada"}))
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(FIRST_VERSION)
        row = (TRACE_ID, "ask", 1.0, 2.0, "ok", "How?", "So.", 0, 1.0, body)
        db.execute("INSERT INTO traces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("INSERT INTO feedback VALUES (?, 0, 'old', 5)", (TRACE_ID,))
        db.execute("INSERT INTO outbox (kind, trace_id, state) VALUES ('trace', ?, 'pending')", (TRACE_ID,))
    lifted = Spool(path)
    assert [item.kind for item in lifted.pending("langfuse", limit=9)] == ["trace"]
    assert lifted.feedback(TRACE_ID) == [Feedback(trace_id=TRACE_ID, up=False, comment="old", created_at=5)]
    assert [said.changed_at for said in lifted.feedback(TRACE_ID)] == [5]
    assert lifted.note_scores(TRACE_ID, []) == [f"user-feedback-{TRACE_ID}"]
    (row,) = lifted.traces(Filter(rated="down"))
    assert (row.id, row.cost, row.models) == (TRACE_ID, None, ())
    lifted.add_signal(TRACE_ID, "opened", citation=1)
    assert lifted.signals(TRACE_ID) == ["opened"]
    lifted.add_trace(ask_trace("f" * 32, attributes={"cost": 0.5, "user_id": "ada"}))
    assert [row.id for row in lifted.traces(Filter(user="ada", dearer_than=0.4))] == ["f" * 32]


def second(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / "traces.db")) as db, db:
        db.executescript(SECOND_VERSION)
        # As if it had been written just now: what is old is let go of.
        db.execute(
            "UPDATE traces SET started_at = started_at + ? - (SELECT max(started_at) FROM traces)", (time.time(),)
        )
    return folder / "traces.db"


def ids(*numbers: int) -> list[str]:
    return [f"{number:032x}" for number in numbers]


def test_a_file_of_the_second_version_is_lifted(tmp_path: Path) -> None:
    lifted = Spool(second(tmp_path), destinations=["langfuse", "otlp"])
    langfuse, otlp = lifted.progress()
    refused = {"": 1, "http://127.0.0.1 answered 413: too large": 1}
    assert langfuse == Progress(destination="langfuse", waiting=2, delivered=1, refused=2, reasons=refused)
    assert otlp == Progress(destination="otlp")
    waiting = [(item.kind, item.trace_id) for item in lifted.pending("langfuse", limit=9)]
    assert waiting == [("trace", ids(3)[0]), ("score", ids(1)[0])]
    rows = lifted.traces()
    assert [row.id for row in rows] == ids(5, 4, 3, 2, 1)
    assert [row.delivery for row in rows] == ["held", "local", "pending", "failed", "delivered"]
    assert lifted.feedback(ids(1)[0])[0].comment == "no"
    before = lifted.signals(ids(1)[0])
    for _ in range(2):
        lifted.add_signal(ids(1)[0], "opened", citation=1)
    assert lifted.signals(ids(1)[0]) == [*before, "opened"]
    assert lifted.trace(ids(5)[0]).steps[0].attributes["resolved_model"] == "large-1"


def test_a_lifted_file_goes_on_as_a_new_one(tmp_path: Path) -> None:
    lifted = Spool(second(tmp_path), destinations=["otlp"], rules=Tracing(unsampled_hours=1))
    lifted.add_trace(ask_trace())
    lifted.add_feedback(Feedback(trace_id=ids(5)[0], up=True))
    assert [item.trace_id for item in lifted.pending("otlp", limit=9)] == [TRACE_ID, *ids(5)]
    assert lifted.retry_refused() == 2
    assert lifted.waiting("langfuse") == 4
    made = Spool(tmp_path / "new.db")
    made.add_trace(ask_trace())
    assert tables(lifted.path) == tables(made.path)


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The columns of every table, and of every index of ours."""
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")]
        found = {name: db.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall() for name in names}
    # In which order they stand is up to the file's history.
    return {name: sorted(column[1:4] for column in columns) for name, columns in found.items()}


def test_a_file_of_the_fourth_version_tries_once_more_who_failed(tmp_path: Path) -> None:
    Spool(tmp_path / "traces.db", destinations=["otlp"]).add_trace(ask_trace())
    with closing(sqlite3.connect(tmp_path / "traces.db")) as db, db:
        db.executescript(FOURTH_VERSION)
    lifted = Spool(tmp_path / "traces.db")
    assert lifted.breaker("otlp", "beef") == CLOSED
    assert [item.trace_id for item in lifted.pending("otlp", limit=9)] == [TRACE_ID]
    lifted.failed("otlp", "down", wait_s=60, mark="beef")
    lifted.failed("otlp", "no", wait_s=60, is_refusal=True, mark="cafe")
    assert lifted.breaker("otlp", "beef").reason == "down"
    assert lifted.breaker("otlp").reason == "no"


def test_a_file_that_two_processes_lift_at_once_is_lifted_once(tmp_path: Path) -> None:
    path = second(tmp_path)
    spools = [Spool(path, destinations=["langfuse"]) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda spool: spool.progress()[0].waiting, spools))
    assert found == [2] * 6
