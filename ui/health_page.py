"""The page of health: how answering went by day, model and prompt, and what the documents don't hold."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import streamlit as st

from rag.engine import Engine
from rag.observe.filter import Filter
from rag.observe.health import Health, by_day, by_model, by_prompt, health
from rag.observe.rows import TraceRow
from rag.topics import topics
from ui.markup import literal
from ui.reviewing import embedded, is_hidden, may_review, refused
from ui.visitor import scope_of_visitor

DAYS = (1, 7, 30, 90)
# More are not looked at: the page says so.
MOST = 5_000
MOST_TOPICS = 20
MOST_UNANSWERED = 500
SHARES = {"abstained": "Abstained", "unsupported": "Not supported", "rated_down": "Rated down"}
COLUMNS = {
    "group": "Name",
    "asked": "Asked",
    "failed": "Failed",
    "p50_s": "p50, s",
    "p95_s": "p95, s",
    **SHARES,
    "cost": "Cost",
    "unpriced": "Of unknown cost",
}


def draw_health(engine: Engine) -> None:
    """The whole page."""
    st.title("Health")
    if not may_review(engine.settings):
        refused()
        return
    days = st.segmented_control("Days", DAYS, default=7, key="health-days") or 7
    since = time.time() - days * 86_400
    rows = engine.spool.traces(Filter(name="ask", is_live=True, since=since), limit=MOST)
    if not rows:
        st.info("Nothing was asked in these days.", icon=":material/info:")
        return
    if len(rows) == MOST:
        st.caption(f"Only the latest {MOST:,} answers are looked at.")
    _draw_whole(health("all", rows))
    _draw_charts(by_day(rows))
    _draw_table("By model", by_model(rows))
    _draw_table("By prompt", by_prompt(rows))
    _draw_gaps(engine, [row for row in rows if row.abstained])


def _draw_whole(found: Health) -> None:
    with st.container(horizontal=True):
        st.metric("Asked", f"{found.asked:,}")
        st.metric("Failed", f"{found.failed:,}")
        st.metric("p50", _seconds(found.p50_s))
        st.metric("p95", _seconds(found.p95_s))
        for name, label in SHARES.items():
            st.metric(label, _percent(getattr(found, name)))
        st.metric(
            "Cost", f"{found.cost:.3g}", help=f"{found.unpriced} answers of unknown cost" if found.unpriced else None
        )


def _draw_charts(days: Sequence[Health]) -> None:
    _draw_chart("Answers a day", [{"Day": one.group, "Asked": one.asked, "Failed": one.failed} for one in days])
    _draw_chart("Seconds an answer", [{"Day": one.group, "p50": one.p50_s, "p95": one.p95_s} for one in days])
    shares = [{"Day": one.group, **{label: getattr(one, name) for name, label in SHARES.items()}} for one in days]
    _draw_chart("Shares", shares)


def _draw_chart(title: str, told: Sequence[Mapping[str, object]]) -> None:
    """Bars side by side: a line would show nothing of a single day."""
    st.subheader(title)
    st.bar_chart(told, x="Day", y=[name for name in told[0] if name != "Day"], stack=False)


def _draw_table(title: str, groups: Sequence[Health]) -> None:
    if not groups:
        return
    st.subheader(title)
    shown = [{label: getattr(one, name) for name, label in COLUMNS.items()} for one in groups]
    percent = {label: st.column_config.NumberColumn(format="percent") for label in SHARES.values()}
    st.dataframe(shown, hide_index=True, column_config=percent)


def _draw_gaps(engine: Engine, unanswered: Sequence[TraceRow]) -> None:
    """Questions without an answer, by topic: what the documents lack."""
    st.subheader("Not answered, by topic")
    if len(unanswered) > MOST_UNANSWERED:
        st.caption(f"Only the latest {MOST_UNANSWERED:,} of {len(unanswered):,} questions are grouped.")
    scope, latest = scope_of_visitor(engine.settings), unanswered[:MOST_UNANSWERED]
    asked = tuple(row.question for row in latest if row.question and not is_hidden(engine.spool, row, scope))
    if not asked:
        st.caption("Nothing, or nothing that is yours to read.")
    found = topics(asked, embed=lambda asked: embedded(engine, tuple(asked)))
    if len(found) > MOST_TOPICS:
        st.caption(f"The {MOST_TOPICS} largest of {len(found):,} topics.")
    for topic in found[:MOST_TOPICS]:
        with st.expander(literal(f"{len(topic.places)} × {asked[topic.places[0]]}")):
            for question in dict.fromkeys(asked[place] for place in topic.places):
                st.text(question)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
