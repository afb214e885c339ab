"""Who may review what others asked, and the parts that the pages for reviewing share."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from rag.observe.restricted import visible
from rag.observe.rows import TraceRow
from rag.observe.spool import Spool
from rag.settings import Settings
from rag.types import Scope, Trace
from ui.visitor import scope_of_visitor

HIDDEN = "(not yours to read)"


def may_review(settings: Settings) -> bool:
    """Whether this visitor sees the pages for reviewing.

    Without names for visitors all who reach the page do, as then it is one person's or one team's; with names, those
    that `ui.reviewers` names.
    """
    if not settings.ui.user_header:
        return True
    return bool(set(scope_of_visitor(settings).readers) & set(settings.ui.reviewers))


def shown_trace(spool: Spool, trace_id: str, scope: Scope) -> Trace:
    """The trace as this visitor may see it."""
    return visible(spool.trace(trace_id), scope)


def shown_rows(spool: Spool, rows: Sequence[TraceRow], scope: Scope) -> list[dict[str, object]]:
    """The rows of a list as a table, without the words of what this visitor may not read."""
    return [_row(row, is_hidden=bool(shown_trace(spool, row.id, scope).attributes.get("withheld"))) for row in rows]


def _row(row: TraceRow, *, is_hidden: bool) -> dict[str, object]:
    return {
        "When": row.started_at,
        "Asked": HIDDEN if is_hidden else row.question,
        "Status": "abstained" if row.abstained else row.status,
        "Supported": row.supported_share,
        "Rated": {None: "", True: "up", False: "down"}[row.rating],
        "Took, s": round(row.duration_ms / 1000, 1),
        "Cost": row.cost,
        "Model": ", ".join(row.models),
        "User": row.user,
        "Trace": row.id[:8],
    }


def refused() -> None:
    """What a visitor sees who may not review."""
    st.info("These pages are for those whom `ui.reviewers` names.", icon=":material/lock:")
