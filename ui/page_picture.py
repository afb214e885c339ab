"""A cited passage on the picture of its page, drawn when somebody asks for it."""

from __future__ import annotations

import threading

import streamlit as st

from ingest.picture import passage_picture
from rag.errors import PlumbError
from rag.settings import Settings
from rag.types import Answer, Chunk
from ui.markup import literal

# Each drawing takes a process of its own: one at a time, however many people ask.
_TURN = threading.Lock()


def draw_page_pictures(answer: Answer, settings: Settings) -> None:
    """A button for every citation whose passage has a place on a page; nothing is drawn before one is pressed."""
    passages = {passage.marker: passage.hit.chunk for passage in answer.passages}
    placed = [(c.marker, chunk) for c in answer.citations if (chunk := passages.get(c.marker)) and chunk.boxes]
    for marker, chunk in placed:
        _draw(answer.trace_id, marker, chunk, settings)


@st.fragment
def _draw(trace_id: str, marker: int, chunk: Chunk, settings: Settings) -> None:
    label = f"Show [{marker}] on page {chunk.page or 1}"
    if not st.toggle(literal(label), key=f"picture-{trace_id}-{marker}"):
        return
    try:
        with st.spinner("Drawing the page …"):
            st.image(
                _picture(chunk.id, chunk, settings), caption=literal(f"{chunk.title}, from page {chunk.page or 1}")
            )
    except PlumbError as error:
        st.warning(literal(str(error)), icon=":material/hide_image:")


@st.cache_data(max_entries=50, show_spinner=False)
def _picture(
    identifier: str,  # noqa: ARG001 - the key of the cache
    _chunk: Chunk,
    _settings: Settings,
) -> bytes:
    with _TURN:
        # A whole page would leave the passage out of sight, more often than not.
        return passage_picture(_chunk, settings=_settings, is_part=True)
