"""A cited passage on the picture of its page, drawn when somebody asks for it."""

from __future__ import annotations

import threading

import streamlit as st

from ingest.picture import passage_picture
from rag.errors import PlumbError
from rag.settings import Settings
from rag.types import Chunk
from ui.markup import literal

# Each drawing takes a process of its own: one at a time, however many people ask.
_TURN = threading.Lock()


def draw_page_picture(chunk: Chunk, settings: Settings) -> None:
    """The part of its page where a passage stands, or why it can't be drawn."""
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
