"""The part of the side bar where visitors add documents to the index."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import PurePosixPath

import streamlit as st

from ingest.parse import SUPPORTED
from ingest.progress import Document
from rag.engine import Engine
from rag.errors import PlumbError
from rag.settings import Settings
from rag.terminal import number_of
from ui.filling import Filling, State
from ui.markup import literal
from ui.uploads import Upload, store
from ui.visitor import owner_of_visitor, scope_of_visitor
from ui.waterfall import seconds

FILLING = "filling"
LOOK_EVERY_S = 0.5


def may_add(settings: Settings) -> bool:
    """Whether this visitor may add documents; where visitors have names, one without may not."""
    return settings.ui.upload and bool(scope_of_visitor(settings).user or not settings.ui.user_header)


@st.fragment
def draw_adding(engine: Engine, refresh: Callable[[], None]) -> None:
    """A form for files, and how far their run is; `refresh` is called when the index holds them.

    A fragment: sending files does not end an answer that is being written.
    """
    with st.expander("Add documents", icon=":material/upload_file:"):
        with st.form("upload", clear_on_submit=True, border=False):
            settings = engine.settings
            sent = st.file_uploader(
                "Files",
                type=[ending.removeprefix(".") for ending in SUPPORTED],
                accept_multiple_files=True,
                max_upload_size=settings.ui.upload_file_mb,
                key="uploaded",
            )
            is_sent = st.form_submit_button("Add to the index", disabled=_is_running())
        st.caption(_readers(settings))
        if is_sent and sent:
            _begin(settings, [Upload(name=file.name, data=file.getvalue()) for file in sent])
        if FILLING in st.session_state:
            _watch(refresh)


def _readers(settings: Settings) -> str:
    if not scope_of_visitor(settings).user:
        return "Others may read them too."
    return "Everyone may read them." if settings.ui.upload_readers == "everyone" else "You alone may read them."


def _is_running() -> bool:
    filling: Filling | None = st.session_state.get(FILLING)
    return bool(filling and not filling.state.is_over)


def _begin(settings: Settings, uploads: list[Upload]) -> None:
    user = scope_of_visitor(settings).user
    try:
        paths = store(uploads, settings, owner=owner_of_visitor(settings), user=user)
    except PlumbError as error:
        st.session_state.pop(FILLING, None)
        st.error(literal(str(error)), icon=":material/error:")
    else:
        st.session_state[FILLING] = Filling(paths, settings)


def _watch(refresh: Callable[[], None]) -> None:
    """Draw how far the run is, again and again until it is over."""
    if not _is_running():
        _draw_end(st.session_state[FILLING].state)
        return
    st.fragment(_draw_running, run_every=LOOK_EVERY_S)(refresh)


def _draw_running(refresh: Callable[[], None]) -> None:
    state: State = st.session_state[FILLING].state
    if state.is_over:
        refresh()
        # No answer is being written now: parts of a page are drawn when the whole is not.
        st.rerun()
    st.progress(min(len(state.done) / max(state.documents, 1), 1.0), text=literal(told(state, time.monotonic())))
    _draw_failures(state)


def told(state: State, now: float) -> str:
    """How far a run is, in words."""
    if state.waits_s is not None:
        return f"Another run fills the index. Waiting for it, {seconds(state.waits_s)} at most."
    left_s = state.left_s(now)
    left = "" if left_s is None else f", about {max(left_s, 1):.0f} s left"
    return f"{len(state.done)} of {state.documents} read{left}"


def _draw_end(state: State) -> None:
    _draw_failures(state)
    if state.problem:
        st.error(literal(state.problem), icon=":material/error:")
    elif held := [one for one in state.done if one.outcome != "failed"]:
        passages = number_of("passage", sum(one.chunks for one in held))
        st.success(literal(f"{', '.join(map(_name, held))}: {passages}"), icon=":material/check:")


def _draw_failures(state: State) -> None:
    for one in state.done:
        if one.outcome == "failed":
            st.error(literal(f"{_name(one)}: {one.reason}"), icon=":material/error:")
        for warning in one.warnings:
            st.warning(literal(f"{_name(one)}: {warning}"), icon=":material/warning:")


def _name(document: Document) -> str:
    return PurePosixPath(document.uri).name
