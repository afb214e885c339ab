"""Which traces are kept: bad, slow, dear and rated ones always, the others by share, age and size."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from observed import ask_trace

from rag.observe.database import reading
from rag.observe.retention import held_bytes, is_sampled
from rag.observe.spool import Spool
from rag.sections import Tracing
from rag.types import Feedback, Trace

NONE = Tracing(sample=0, slow_s=30)


def kept(tmp_path: Path, rules: Tracing = NONE) -> Spool:
    return Spool(tmp_path / "traces.db", destinations=["langfuse"], rules=rules)


def trace(number: int, *, age_days: float = 0, took_s: float = 1, **changes: Any) -> Trace:
    began = time.time() - age_days * 86_400
    made = {"attributes": {"supported_share": 1.0}, **changes}
    return ask_trace(f"{number:032x}", started_at=began, ended_at=began + took_s, **made)


def ids(spool: Spool) -> list[int]:
    return sorted(int(row.id, 16) for row in spool.traces(limit=10_000))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "failed"},
        {"status": "abandoned"},
        {"attributes": {"abstained": True}},
        {"attributes": {"supported_share": 0.5}},
        {"took_s": 31},
        {"name": "ingest"},
    ],
)
def test_what_went_wrong_is_always_kept(tmp_path: Path, changes: dict[str, Any]) -> None:
    spool = kept(tmp_path)
    spool.add_trace(trace(1, **changes))
    spool.add_trace(trace(2))
    assert [row.delivery for row in spool.traces()].count("held") == 1
    assert [item.trace_id for item in spool.pending("langfuse", limit=9)] == [f"{1:032x}"]


def test_a_dear_answer_is_kept_where_cost_matters() -> None:
    dear = trace(1, attributes={"cost": 0.5, "supported_share": 1.0})
    assert not is_sampled(dear, NONE)
    assert is_sampled(dear, Tracing(sample=0, expensive=0.4))


def test_so_large_a_share_is_kept_and_always_the_same() -> None:
    # Ids are drawn; these have their differing digits in front, as drawn ones have.
    made = [ask_trace(f"{number * 0x1357_9BDF % 2**32:08x}{0:024x}", attributes={}) for number in range(2_000)]
    rules = Tracing(sample=0.25, slow_s=30)
    chosen = [is_sampled(one, rules) for one in made]
    assert 0.2 < sum(chosen) / len(chosen) < 0.3
    assert chosen == [is_sampled(one, rules) for one in made]


def test_what_is_rated_in_time_is_kept_and_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = kept(tmp_path)
    for number in (1, 2):
        spool.add_trace(trace(number))
    spool.add_feedback(Feedback(trace_id=f"{1:032x}", up=True))
    assert [item.kind for item in spool.pending("langfuse", limit=9)] == ["trace", "score"]
    assert spool.prune() == 0
    later_s = time.time() + 3 * 86_400
    monkeypatch.setattr("rag.observe.retention.time.time", lambda: later_s)
    assert spool.prune() == 1
    assert ids(spool) == [1]


def test_old_ones_go_with_what_was_said_of_them_unless_they_wait(tmp_path: Path) -> None:
    spool = kept(tmp_path, Tracing(keep_days=30))
    for number in (1, 2, 3):
        spool.add_trace(trace(number, age_days=40 if number < 3 else 1))
    spool.add_feedback(Feedback(trace_id=f"{1:032x}", up=True))
    for item in spool.pending("langfuse", limit=9):
        if item.trace_id != f"{2:032x}":
            spool.delivered(item)
    assert spool.prune() == 1
    assert ids(spool) == [2, 3]
    assert spool.feedback(f"{1:032x}") == []
    assert spool.progress()[0].delivered == 1


def test_what_waits_to_be_taken_back_keeps_its_trace(tmp_path: Path) -> None:
    spool = kept(tmp_path, Tracing(keep_days=30))
    spool.add_trace(trace(1, age_days=40))
    spool.delivered(spool.pending("langfuse", limit=1)[0])
    spool.add_feedback(Feedback(trace_id=f"{1:032x}", comment="no"))
    assert spool.prune() == 0
    spool.delivered(spool.pending("langfuse", limit=1)[0])
    assert spool.prune() == 1


def test_a_file_that_is_too_large_loses_its_oldest_and_rated_ones_last(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "traces.db", rules=Tracing(max_mb=1))
    for number in range(1, 61):
        spool.add_trace(trace(number, age_days=100 - number, output="x" * 40_000))
    spool.add_feedback(Feedback(trace_id=f"{1:032x}", up=False))
    # At once, and not more than it has to: a tenth at most.
    assert spool.prune() > 30
    assert 0.85e6 < held(spool) <= 1e6
    assert spool.prune() == 0
    left = ids(spool)
    assert 1 in left
    assert 60 in left
    assert 2 not in left
    assert len(left) < 30


def held(spool: Spool) -> int:
    with reading(spool.path) as db:
        return held_bytes(db)


def test_a_file_in_which_all_waits_stays_as_large_as_it_is(tmp_path: Path) -> None:
    spool = kept(tmp_path, Tracing(max_mb=1))
    for number in range(1, 41):
        spool.add_trace(trace(number, output="x" * 40_000))
    assert spool.prune() == 0
    assert len(ids(spool)) == 40


def test_pruning_runs_by_itself_once_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.observe.spool.PRUNE_EVERY_S", -1.0)
    spool = Spool(tmp_path / "traces.db", rules=Tracing(keep_days=1))
    spool.add_trace(trace(1, age_days=2))
    assert ids(spool) == []


def test_short_lived_processes_prune_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        Spool(tmp_path / "traces.db").add_trace(trace(number, age_days=2))
    rules = Tracing(keep_days=1)
    later = Spool(tmp_path / "traces.db", rules=rules)
    later.add_trace(trace(3))
    assert ids(later) == [1, 2, 3]
    later_s = time.time() + 3_700
    monkeypatch.setattr("rag.observe.retention.time.time", lambda: later_s)
    Spool(tmp_path / "traces.db", rules=rules).add_trace(trace(4))
    assert ids(later) == [3, 4]
