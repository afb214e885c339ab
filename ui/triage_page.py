"""The page of triage: bad answers, the most frequent kind first, and what is decided on each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from rag.engine import Engine
from rag.errors import PlumbError
from rag.triage import DECISIONS, NO_TEXT, Complaint, left_out, queue
from rag.types import Decision
from ui.markup import literal, text_html
from ui.rating import LABELS
from ui.reviewing import embedded, may_review, refused
from ui.visitor import scope_of_visitor

# Of the same complaint.
MOST_SHOWN = 10
WORDS: dict[Decision, str] = {"new": "New", "case": "Case made", "fixed": "Fixed", "wontfix": "Won't fix"}
KINDS = {
    **LABELS,
    "rated down": "Rated down, no reason given",
    "corrected": "Corrected, not rated down",
    "unsupported": "Not supported, not rated",
}


def draw_triage(engine: Engine, show: Callable[[str], None]) -> None:
    """The whole page; `show` leads to the trace with an id."""
    st.title("Triage")
    if not may_review(engine.settings):
        refused()
        return
    chosen = st.pills("State", DECISIONS, default="new", format_func=WORDS.__getitem__, key="triage-state")
    scope = scope_of_visitor(engine.settings)
    every = queue(engine.spool, embed=lambda asked: embedded(engine, tuple(asked)), scope=scope)
    if older := left_out(engine.spool):
        st.caption(f"{older:,} older bad answers that nobody decided on are not looked at: decide on these first.")
    found = [one for one in every if not chosen or one.state == chosen]
    if not found:
        st.info("Nothing here.", icon=":material/check:")
    for kind in dict.fromkeys(one.kind for one in found):
        own = [one for one in found if one.kind == kind]
        st.subheader(literal(f"{KINDS.get(kind, kind)} ({sum(len(one.traces) for one in own)})"))
        _draw_kind(engine, own, show)


def _draw_kind(engine: Engine, found: Sequence[Complaint], show: Callable[[str], None]) -> None:
    for one in found:
        times = f"{len(one.traces)} × " if len(one.traces) > 1 else ""
        with st.expander(literal(f"{times}{one.question or NO_TEXT}")):
            if one.answer:
                st.html(f'<p class="plumb-quiet">Answered: {text_html(one.answer)}</p>')
            for comment in dict.fromkeys(one.comments):
                st.html(f'<p class="plumb-doubt">{text_html(comment)}</p>')
            if one.correction:
                st.html(f'<p class="plumb-quiet">Right would be: {text_html(one.correction)}</p>')
            with st.container(horizontal=True, gap="small"):
                for trace_id in one.traces[:MOST_SHOWN]:
                    if st.button(f"Trace {trace_id[:8]}", key=f"show-{trace_id}", type="tertiary"):
                        show(trace_id)
            st.segmented_control(
                "Decide",
                DECISIONS,
                default=one.state,
                format_func=WORDS.__getitem__,
                key=f"decide-{one.state}-{one.kind}-{one.traces[0]}",
                on_change=_decide,
                args=(engine, one),
            )


def _decide(engine: Engine, one: Complaint) -> None:
    decision = st.session_state[f"decide-{one.state}-{one.kind}-{one.traces[0]}"]
    try:
        engine.spool.decide(one.traces, decision or "new")
    except PlumbError as error:
        st.error(literal(str(error)))
