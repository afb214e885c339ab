"""A trace as the columns it is kept with and found by, and as a row of a list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rag.errors import StoreError
from rag.observe.codec import encode, utf8
from rag.observe.filter import WHERE
from rag.observe.outbox import Delivery
from rag.types import Trace

LINE_CHARS = 300

PUT = """
INSERT OR REPLACE INTO traces
    (id, name, started_at, duration_ms, status, question, answer, abstained, supported_share, body,
     cost, models, prompts, index_version, user, session, given_before, tags)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
LIST = f"""
SELECT t.id, t.name, t.started_at, t.duration_ms, t.status, t.question, t.answer, t.abstained, t.supported_share,
       t.cost, t.models, t.prompts, t.index_version, t.user, t.session, t.tags,
       (SELECT min(up) FROM feedback f WHERE f.trace_id = t.id) AS up,
       (SELECT comment FROM feedback f WHERE f.trace_id = t.id AND comment != '' ORDER BY changed_at DESC LIMIT 1),
       CASE WHEN EXISTS (SELECT 1 FROM held h WHERE h.trace_id = t.id) THEN 'held' ELSE coalesce(
           -- Of several destinations the one that is worst off, which comes last in the alphabet too.
           (SELECT max(state) FROM outbox o WHERE o.kind = 'trace' AND o.trace_id = t.id), 'local') END
FROM traces t
WHERE {WHERE}
ORDER BY t.started_at DESC, t.rowid DESC
LIMIT :limit
"""  # noqa: S608 - nothing from outside
COUNT = f"SELECT count(*) FROM ({LIST})"  # noqa: S608 - nothing from outside


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """A trace in a list. `answer` is its first line.

    `rating` is None when nobody rated it, and False if one of several people rated it down; `comment` the last one.
    `models` are those that answered, `prompts` id and version of those they were given ('answer@2'). `cost` is None
    where it is unknown, and where no model was asked.

    `delivery` is 'local' for a trace that was recorded while no destination was configured: it is never sent. One that
    is 'held' was left out by `trace.sample`, and goes soon unless somebody rates it. Of several destinations, one for
    which it is pending counts first, then one that refused it.
    """

    id: str
    name: str
    started_at: float
    duration_ms: float
    status: str
    question: str
    answer: str
    abstained: bool
    supported_share: float | None
    cost: float | None
    models: tuple[str, ...]
    prompts: tuple[str, ...]
    index_version: str
    user: str
    session: str
    tags: tuple[str, ...]
    rating: bool | None
    comment: str
    delivery: Delivery


def columns(trace: Trace) -> tuple[Any, ...]:
    """What `PUT` takes. Raises StoreError for what can't be JSON."""
    try:
        body = encode(trace)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"trace {trace.id} is not JSON: {error}", expected="facts that JSON can hold") from error
    facts = trace.attributes
    return (
        trace.id,
        trace.name,
        trace.started_at,
        round((trace.ended_at - trace.started_at) * 1000, 1),
        trace.status,
        _text(trace.input),
        _first_line(_text(trace.output)),
        bool(facts.get("abstained")),
        _number(facts.get("supported_share")),
        body,
        _number(facts.get("cost")),
        _words(models_of(trace)),
        _words(prompts_of(trace)),
        *(utf8(str(facts.get(name) or "")) for name in ("index", "user_id", "session_id", "given_before")),
        utf8(json.dumps([str(tag) for tag in facts.get("tags") or ()], ensure_ascii=False)),
    )


def listed(row: tuple[Any, ...]) -> TraceRow:
    """A row of `LIST`."""
    found = dict(zip(TraceRow.__dataclass_fields__, row, strict=True))
    return TraceRow(
        **{
            **found,
            "abstained": bool(found["abstained"]),
            "models": tuple(found["models"].split()),
            "prompts": tuple(found["prompts"].split()),
            "tags": tuple(json.loads(found["tags"])),
            "rating": None if found["rating"] is None else bool(found["rating"]),
            "comment": found["comment"] or "",
        }
    )


def models_of(trace: Trace) -> list[str]:
    """The models that answered, as their servers call them, one for each call."""
    return [
        str(step.attributes["resolved_model"])
        for step in trace.steps
        if step.kind == "generation" and step.attributes.get("resolved_model")
    ]


def prompts_of(trace: Trace) -> list[str]:
    """Id and version ('answer@2') of the prompts that models were given, one for each call."""
    told = [step.attributes for step in trace.steps if step.attributes.get("prompt_id")]
    return [f"{facts['prompt_id']}@{facts.get('prompt_version', '')}" for facts in told]


def _words(names: list[str]) -> str:
    """Names in a column, one space between any two; each once."""
    return utf8(" ".join(dict.fromkeys("".join(name.split()) for name in names)))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("text", "")
    if isinstance(value, list | tuple):
        value = ", ".join(str(item) for item in value)
    return utf8(value) if isinstance(value, str) else ""


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:LINE_CHARS]
