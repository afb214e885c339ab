"""How answering went, day by day: counts, cost, latency, and how many answers were declined, doubtful or rated down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from rag.observe.rows import TraceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a group of answers came to. Shares are 0 to 1, None where there is nothing to take a share of.

    `cost` adds up what is known, `unpriced` counts answers whose cost is unknown. `unsupported` is the share of the
    answers given of which not every claim is supported, `rated_down` that of all that were asked.
    """

    group: str
    asked: int
    failed: int
    cost: float
    unpriced: int
    p50_s: float | None
    p95_s: float | None
    abstained: float | None
    unsupported: float | None
    rated_down: float | None


def by_day(rows: Sequence[TraceRow]) -> list[Health]:
    """One for each day in local time, the earliest first."""
    return _grouped(rows, lambda row: [datetime.fromtimestamp(row.started_at).astimezone().date().isoformat()])


def by_model(rows: Sequence[TraceRow]) -> list[Health]:
    """One for each model that had a part in an answer."""
    return _grouped(rows, lambda row: row.models)


def by_prompt(rows: Sequence[TraceRow]) -> list[Health]:
    """One for each prompt and version that had a part in an answer."""
    return _grouped(rows, lambda row: row.prompts)


def health(group: str, rows: Sequence[TraceRow]) -> Health:
    """What these answers came to."""
    ended = [row for row in rows if row.status == "ok"]
    given = [row for row in ended if not row.abstained]
    times = [row.duration_ms / 1000 for row in ended]
    p50_s, p95_s = map(float, np.percentile(times, (50, 95))) if times else (None, None)
    return Health(
        group=group,
        asked=len(rows),
        failed=sum(row.status == "failed" for row in rows),
        cost=sum(row.cost or 0.0 for row in rows),
        unpriced=sum(row.cost is None for row in ended),
        p50_s=p50_s,
        p95_s=p95_s,
        abstained=_share([row.abstained for row in ended]),
        unsupported=_share([row.supported_share is not None and row.supported_share < 1 for row in given]),
        rated_down=_share([row.rating is False for row in rows]),
    )


def _grouped(rows: Sequence[TraceRow], groups: Callable[[TraceRow], Sequence[str]]) -> list[Health]:
    found: dict[str, list[TraceRow]] = defaultdict(list)
    for row in rows:
        for group in groups(row):
            found[group].append(row)
    return [health(group, found[group]) for group in sorted(found)]


def _share(told: Sequence[bool]) -> float | None:
    return sum(told) / len(told) if told else None
