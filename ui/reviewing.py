"""Who may review what others asked, and the parts that the pages for reviewing share."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from rag.embed import Matrix
from rag.engine import Engine
from rag.errors import PlumbError
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
    if not (settings.ui.user_header or settings.ui.groups_header):
        return True
    return bool(set(scope_of_visitor(settings).readers) & set(settings.ui.reviewers))


def shown_trace(spool: Spool, trace_id: str, scope: Scope) -> Trace:
    """The trace as this visitor may see it."""
    return visible(spool.trace(trace_id), scope)


def is_hidden(spool: Spool, row: TraceRow, scope: Scope) -> bool:
    """Whether the words of this trace are not this visitor's to read."""
    return bool(shown_trace(spool, row.id, scope).attributes.get("withheld"))


def may_read(engine: Engine, trace_id: str) -> bool:
    """Whether the words of the trace with this id, of which something else tells, are this visitor's to read."""
    names = engine.settings.ui
    try:
        trace = shown_trace(engine.spool, trace_id, scope_of_visitor(engine.settings))
    except PlumbError:
        # It was let go of, or is of another machine: whose words they are is unknown.
        return not (names.user_header or names.groups_header)
    return not trace.attributes.get("withheld")


def table(rows: Sequence[TraceRow], hidden: Collection[str]) -> list[dict[str, object]]:
    """The rows of a list as a table; no words of those whose ids are hidden."""
    return [_row(row, is_hidden=row.id in hidden) for row in rows]


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


@st.cache_data(ttl=300, max_entries=100, show_spinner=False)
def embedded(_engine: Engine, questions: tuple[str, ...]) -> Matrix:
    """The vectors of questions, kept for a while: every interaction draws a page anew."""
    return _engine.searcher.index.embedder.embed(questions)


def refused() -> None:
    """What a visitor sees who may not review."""
    st.info("These pages are for those whom `ui.reviewers` names.", icon=":material/lock:")
