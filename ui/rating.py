"""Thumbs and a comment below an answer, kept on its trace."""

from __future__ import annotations

import streamlit as st

from rag.engine import Engine
from rag.errors import PlumbError
from rag.types import Feedback
from ui.markup import literal

COMMENT_CHARS = 2_000


@st.fragment
def draw_rating(engine: Engine, trace_id: str) -> None:
    """Thumbs that show the stored rating; a comment can follow. Both can be changed later."""
    thumb, comment = f"thumb-{trace_id}", f"comment-{trace_id}"
    saved = _saved(engine, trace_id)
    if saved and thumb not in st.session_state:
        st.session_state[thumb] = int(saved.up)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.feedback("thumbs", key=thumb, on_change=_rate, args=(engine, trace_id))
        if saved:
            st.caption("Saved, with your comment" if saved.comment else "Saved")
    if saved:
        _draw_comment(engine, saved, key=comment)
    if problem := st.session_state.pop(f"problem-{trace_id}", ""):
        st.error(literal(problem))


def _draw_comment(engine: Engine, saved: Feedback, *, key: str) -> None:
    with st.form(f"form-{key}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Comment",
            saved.comment,
            key=key,
            max_chars=COMMENT_CHARS,
            placeholder="What was good?" if saved.up else "What was wrong?",
            label_visibility="collapsed",
        )
        st.form_submit_button("Send", on_click=_comment, args=(engine, saved.trace_id))


def _rate(engine: Engine, trace_id: str) -> None:
    saved, chosen = _saved(engine, trace_id), st.session_state[f"thumb-{trace_id}"]
    if chosen is not None:
        _store(engine, trace_id, up=bool(chosen), comment=saved.comment if saved else "")
    # A rating can be changed but not taken back: the thumb goes back to what is stored.
    stored = _saved(engine, trace_id)
    st.session_state[f"thumb-{trace_id}"] = int(stored.up) if stored else None


def _comment(engine: Engine, trace_id: str) -> None:
    saved = _saved(engine, trace_id)
    if saved:
        _store(engine, trace_id, up=saved.up, comment=st.session_state[f"comment-{trace_id}"].strip())


def _store(engine: Engine, trace_id: str, *, up: bool, comment: str) -> None:
    try:
        engine.rate(trace_id, up=up, comment=comment)
    except PlumbError as error:
        st.session_state[f"problem-{trace_id}"] = str(error)


def _saved(engine: Engine, trace_id: str) -> Feedback | None:
    try:
        return engine.spool.feedback(trace_id)
    except PlumbError as error:
        st.session_state[f"problem-{trace_id}"] = str(error)
        return None
