"""The page of health: how answering went by day, model and prompt, and what the documents don't hold."""

from __future__ import annotations

import time
from collections.abc import Sequence

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
CHARTS = {
    "Answers": {"asked": "Asked", "failed": "Failed"},
    "Seconds an answer": {"p50_s": "p50", "p95_s": "p95"},
    "Cost, where it is known": {"cost": "Cost"},
    "Percent of answers": SHARES,
}
# More bars are no picture any more: those of which most was asked are drawn.
MOST_BARS = 20
CHART_PX, BAR_PX = 240, 24
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
    _draw_groups("Day", by_day(rows))
    _draw_groups("Model", by_model(rows))
    _draw_groups("Prompt", by_prompt(rows))
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
            "Cost",
            f"{found.cost:.3g}" if _has_cost(found) else "–",
            help=f"{found.unpriced} answers of unknown cost" if found.unpriced else None,
        )


def _draw_groups(by: str, groups: Sequence[Health]) -> None:
    """The charts of all groups, two beside each other; models and prompts have names, so their figures are told too."""
    if not groups:
        return
    st.subheader(f"By {by.lower()}")
    drawn = groups if by == "Day" else sorted(groups, key=lambda one: -one.asked)[:MOST_BARS]
    for places in ((0, 1), (2, 3)):
        for column, place in zip(st.columns(2), places, strict=True):
            with column:
                _draw_chart(list(CHARTS)[place], by, drawn)
    if by != "Day":
        _draw_table(groups)


def _draw_chart(title: str, by: str, groups: Sequence[Health]) -> None:
    """Bars side by side: a line would show nothing of a single day. Those with names lie, so that they can be read."""
    shown, is_day = CHARTS[title], by == "Day"
    st.markdown(f"**{title}**")
    if "cost" in shown and not any(_has_cost(one) for one in groups):
        st.caption("Of no answer is it known: it is told with a `price_in` and a `price_out` for each model.")
        return
    st.bar_chart(
        [{by: one.group, **{label: _bar(one, name) for name, label in shown.items()}} for one in groups],
        x=by,
        y=list(shown.values()),
        x_label="",
        y_label="",
        horizontal=not is_day,
        stack=False,
        height=CHART_PX if is_day else max(CHART_PX, BAR_PX * len(groups) * len(shown)),
        alt=f"{title}, by {by.lower()}",
    )


def _has_cost(one: Health) -> bool:
    """Whether the cost of any of these answers is known."""
    return bool(one.cost) or one.unpriced + one.failed < one.asked


def _bar(one: Health, name: str) -> float | None:
    value: float | None = getattr(one, name)
    return value * 100 if name in SHARES and value is not None else value


def _draw_table(groups: Sequence[Health]) -> None:
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
