"""What the visitor says of an answer: thumbs, what was wrong, a comment, the right answer, thumbs of the sources."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from rag.engine import Engine
from rag.errors import PlumbError
from rag.feedback import REASONS
from rag.types import Answer, Feedback
from ui.markup import literal
from ui.visitor import scope_of_visitor

LABELS = {
    "wrong": "Wrong",
    "not-in-sources": "Not in the sources",
    "outdated": "Outdated",
    "incomplete": "Incomplete",
    "off-topic": "Not what I asked",
    "too-slow": "Too slow",
    "unsafe": "Unsafe",
}


@st.fragment
def draw_rating(engine: Engine, answer: Answer) -> None:
    """Thumbs that show what is stored; the rest follows once there is one. All of it can be changed or taken back."""
    said = _said(engine, answer.trace_id)
    _show_stored(said, answer)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.feedback("thumbs", key=_key("thumb", said), on_change=_rate, args=(engine, answer.trace_id))
        if not said.is_empty:
            st.caption("Saved")
            st.button(
                "Take back", key=_key("back", said), type="tertiary", on_click=_take_back, args=(engine, said.trace_id)
            )
    if said.up is False or said.reasons:
        st.pills(
            "What was wrong?",
            REASONS,
            selection_mode="multi",
            format_func=LABELS.__getitem__,
            key=_key("reasons", said),
            on_change=_say_reasons,
            args=(engine, said.trace_id),
        )
    if not said.is_empty:
        _draw_words(engine, said)
        _draw_sources(engine, said, answer)
    if problem := st.session_state.pop(_key("problem", said), ""):
        st.error(literal(problem))


def _draw_words(engine: Engine, said: Feedback) -> None:
    longest = engine.settings.limits.feedback_chars
    with st.form(_key("form", said), border=False):
        placeholder = "What was good?" if said.up else "What was wrong?"
        st.text_area(
            "Comment", said.comment, key=_key("comment", said), max_chars=longest, placeholder=placeholder, height=68
        )
        st.text_area("The right answer", said.correction, key=_key("correction", said), max_chars=longest, height=68)
        st.form_submit_button("Send", on_click=_say_words, args=(engine, said.trace_id))


def _draw_sources(engine: Engine, said: Feedback, answer: Answer) -> None:
    if not answer.citations:
        return
    with st.expander("Rate the sources"):
        for marker in dict.fromkeys(citation.marker for citation in answer.citations):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(literal(f"[{marker}]"))
                key = _key(f"source-{marker}", said)
                st.feedback("thumbs", key=key, on_change=_rate_source, args=(engine, said.trace_id, marker))


def _show_stored(said: Feedback, answer: Answer) -> None:
    """Set what is stored at once to what is stored: the page forgets its widgets while another page is drawn."""
    st.session_state[_key("thumb", said)] = _thumb(said.up)
    st.session_state[_key("reasons", said)] = list(said.reasons)
    for citation in answer.citations:
        st.session_state[_key(f"source-{citation.marker}", said)] = _thumb(said.citations.get(citation.marker))


def _thumb(up: bool | None) -> int | None:
    return None if up is None else int(up)


def _rate(engine: Engine, trace_id: str) -> None:
    said = _said(engine, trace_id)
    chosen = st.session_state[_key("thumb", said)]
    _store(engine, replace(said, up=None if chosen is None else bool(chosen)))


def _say_reasons(engine: Engine, trace_id: str) -> None:
    said = _said(engine, trace_id)
    _store(engine, replace(said, reasons=tuple(st.session_state[_key("reasons", said)])))


def _say_words(engine: Engine, trace_id: str) -> None:
    said = _said(engine, trace_id)
    comment, correction = (
        str(st.session_state.get(_key(name, said), held)).strip()
        for name, held in (("comment", said.comment), ("correction", said.correction))
    )
    _store(engine, replace(said, comment=comment, correction=correction))


def _rate_source(engine: Engine, trace_id: str, marker: int) -> None:
    said = _said(engine, trace_id)
    chosen = st.session_state[_key(f"source-{marker}", said)]
    others = {other: up for other, up in said.citations.items() if other != marker}
    _store(engine, replace(said, citations=others if chosen is None else {**others, marker: bool(chosen)}))


def _take_back(engine: Engine, trace_id: str) -> None:
    nothing = Feedback(trace_id=trace_id)
    _store(engine, nothing)
    for name in ("comment", "correction"):
        st.session_state.pop(_key(name, nothing), None)


def _store(engine: Engine, said: Feedback) -> None:
    try:
        engine.rate(said, scope=scope_of_visitor(engine.settings))
    except PlumbError as error:
        st.session_state[_key("problem", said)] = str(error)


def _said(engine: Engine, trace_id: str) -> Feedback:
    """What this visitor says so far."""
    user = scope_of_visitor(engine.settings).user
    nothing = Feedback(trace_id=trace_id, user=user)
    try:
        return next((said for said in engine.spool.feedback(trace_id) if said.user == user), nothing)
    except PlumbError as error:
        st.session_state[_key("problem", nothing)] = str(error)
        return nothing


def _key(name: str, said: Feedback) -> str:
    return f"{name}-{said.trace_id}"
