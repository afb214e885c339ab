"""The page of traces: a list with filters, one trace in full, two side by side, and cases made of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

import streamlit as st

from rag.commands.moments import moment
from rag.engine import Engine
from rag.errors import PlumbError
from rag.observe.filter import Filter
from rag.observe.rows import TraceRow
from ui.case_form import draw_case_form
from ui.markup import literal
from ui.reviewing import is_hidden, may_review, refused, shown_trace, table
from ui.trace_view import draw_trace
from ui.visitor import scope_of_visitor

KINDS = {
    "Questions": Filter(name="ask", is_live=True),
    "Rated down": Filter(name="ask", is_live=True, rated="down"),
    "Rated up": Filter(name="ask", is_live=True, rated="up"),
    "Not supported": Filter(name="ask", is_live=True, unsupported=True),
    "Abstained": Filter(name="ask", is_live=True, abstained=True),
    "Failed": Filter(name="ask", is_live=True, status="failed"),
    "Stopped": Filter(name="ask", is_live=True, status="abandoned"),
    "Eval runs": Filter(name="ask", is_live=False),
    "Ingest": Filter(name="ingest"),
}
# Any other age or date can be typed.
MOMENTS = {"Any time": "", "An hour ago": "1h", "A day ago": "1d", "A week ago": "1w"}
MOMENT_HELP = "Or an age or a date: 30m, 3d, 2026-11-26, 2026-11-26T09:00"
TEXTS = {
    "text": ("Words", ""),
    "model": ("Model", ""),
    "prompt": ("Prompt", "answer@2"),
    "user": ("User", ""),
    "tag": ("Tag", ""),
    "index": ("Index", "v1"),
}
MOST = 200


def draw_traces(engine: Engine) -> None:
    """The whole page."""
    st.title("Traces")
    if not may_review(engine.settings):
        refused()
        return
    try:
        wanted = _wanted()
    except PlumbError as error:
        st.error(literal(str(error)), icon=":material/error:")
        return
    scope = scope_of_visitor(engine.settings)
    rows = engine.spool.traces(wanted, limit=MOST)
    hidden = {row.id for row in rows if is_hidden(engine.spool, row, scope)}
    if wanted.text:
        # That a hidden one has these words would tell what is in it.
        rows = [row for row in rows if row.id not in hidden]
    if not rows:
        st.info("No traces so far, or none like this.", icon=":material/info:")
    chosen = _chosen(rows, hidden) if rows else _sought()
    for column, trace_id in zip(st.columns(max(len(chosen), 1)), chosen, strict=False):
        with column:
            _draw_one(engine, trace_id)


def _wanted() -> Filter:
    """What the filters above the list say. Raises ConfigError for a time that is none."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox("Show", list(KINDS), key="traces-kind")
        since, until = _moment("Since"), _moment("Until")
        slower = st.number_input("Slower than, s", min_value=0.0, value=0.0, step=1.0, key="traces-slower")
        dearer = st.number_input("Dearer than", min_value=0.0, value=None, step=0.01, format="%g", key="traces-dearer")
    # Side by side as long as the page is wide enough: a container would put the last one into a line of its own.
    columns = st.columns(len(TEXTS), vertical_alignment="bottom")
    text, model, prompt, user, tag, index = (
        column.text_input(label, key=f"traces-{name}", placeholder=example).strip()
        for column, (name, (label, example)) in zip(columns, TEXTS.items(), strict=True)
    )
    return replace(
        KINDS[kind],
        text=text,
        model=model,
        prompt=prompt,
        user=user or None,
        tag=tag,
        index_version=index,
        slower_than_s=slower or None,
        dearer_than=dearer,
        since=moment(since, option="Since"),
        until=moment(until, option="Until"),
    )


def _moment(label: str) -> str:
    """A time that is chosen or typed, as `moment` reads it."""
    key = f"traces-{label.lower()}"
    chosen = st.selectbox(label, list(MOMENTS), key=key, accept_new_options=True, help=MOMENT_HELP) or ""
    return MOMENTS.get(chosen, chosen.strip())


def _chosen(rows: Sequence[TraceRow], hidden: Collection[str]) -> list[str]:
    """The list, and the ids of one or two of its rows that are chosen: those stay when other rows come before them."""
    shown = table(rows, hidden)
    for row in shown:
        row["When"] = datetime.fromtimestamp(float(str(row["When"]))).astimezone()
    st.dataframe(
        shown,
        hide_index=True,
        on_select=_choose,
        selection_mode="multi-row",
        key="traces-list",
        column_config={
            "When": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "Supported": st.column_config.NumberColumn(format="percent"),
            "Asked": st.column_config.TextColumn(width="large"),
        },
    )
    st.session_state["traces-drawn"] = [row.id for row in rows]
    listed = [row.id for row in rows if row.id in st.session_state.get("traces-chosen", ())]
    chosen = listed or _sought()
    if not chosen:
        st.caption(f"{len(rows)} traces. Choose one to see it, or two to see them side by side.")
    return chosen


def _sought() -> list[str]:
    """The one that another page led to: it may be older than all in the list, or of an eval run."""
    return [one for one in [st.session_state.get("traces-sought")] if one]


def _choose() -> None:
    """Remember what was chosen by its id: the rows are those that were drawn before."""
    st.session_state.pop("traces-sought", None)
    drawn = st.session_state.get("traces-drawn", [])
    places = st.session_state["traces-list"]["selection"]["rows"][:2]
    st.session_state["traces-chosen"] = [drawn[place] for place in places if place < len(drawn)]


def choose(trace_id: str) -> None:
    """Have the page show this trace, and its list no longer narrowed."""
    for name in [name for name in st.session_state if str(name).startswith("traces-")]:
        del st.session_state[name]
    st.session_state["traces-chosen"] = [trace_id]
    st.session_state["traces-sought"] = trace_id


def _draw_one(engine: Engine, trace_id: str) -> None:
    trace = shown_trace(engine.spool, trace_id, scope_of_visitor(engine.settings))
    is_withheld = bool(trace.attributes.get("withheld"))
    feedback = [] if is_withheld else engine.spool.feedback(trace_id)
    draw_trace(trace, feedback, engine.spool.signals(trace_id), engine.settings)
    if trace.name == "ask" and not is_withheld:
        draw_case_form(engine, trace, feedback)
