"""How answering went, from rows of traces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from observed import STARTED_AT, ask_trace

from rag.observe.filter import Filter
from rag.observe.health import by_day, by_model, by_prompt, health
from rag.observe.rows import TraceRow
from rag.observe.spool import Spool
from rag.types import Feedback


@pytest.fixture
def rows(tmp_path: Path) -> list[TraceRow]:
    """Ten answers of 1 to 10 seconds over two days: two declined, one failed, one doubtful, one rated down."""
    spool = Spool(tmp_path / "traces.db")
    special: dict[int, dict[str, Any]] = {
        1: {"attributes": {"abstained": True}},
        2: {"attributes": {"abstained": True}},
        3: {"status": "failed", "attributes": {}},
        4: {"attributes": {"supported_share": 0.5, "cost": 0.25}},
    }
    for number in range(1, 11):
        began = STARTED_AT + 86_400 * (number > 5)
        changes = {"attributes": {"supported_share": 1.0, "cost": 0.25}, **special.get(number, {})}
        spool.add_trace(ask_trace(f"{number:032x}", started_at=began, ended_at=began + number, **changes))
    spool.add_feedback(Feedback(trace_id=f"{5:032x}", up=False))
    return spool.traces(Filter(name="ask"), limit=99)


def test_all_together(rows: list[TraceRow]) -> None:
    found = health("all", rows)
    assert (found.asked, found.failed, found.cost, found.unpriced) == (10, 1, 1.75, 2)
    assert (found.p50_s, found.p95_s) == (6.0, pytest.approx(9.6))
    assert (found.abstained, found.unsupported, found.rated_down) == (2 / 9, 1 / 7, 0.1)


def test_nothing_is_no_zero() -> None:
    found = health("all", [])
    assert (found.asked, found.p50_s, found.abstained, found.unsupported) == (0, None, None, None)


def test_by_day_model_and_prompt(rows: list[TraceRow]) -> None:
    assert [day.asked for day in by_day(rows)] == [5, 5]
    assert [(one.group, one.asked) for one in by_model(rows)] == [("qwen2.5-coder-1.5b-q4", 10)]
    assert [one.asked for one in by_prompt(rows)] == [10]
