"""The sources of an answer: each citation, its whole passage, and that passage on its page, opened when asked for."""

from __future__ import annotations

import streamlit as st

from rag.engine import Engine
from rag.types import Answer, Chunk, Citation
from ui.actions import note
from ui.evidence import anchor, passage_html, source_html
from ui.markup import literal
from ui.page_picture import draw_page_picture


@st.fragment
def draw_sources(engine: Engine, answer: Answer) -> None:
    """Every citation; what is opened of one is noted on the trace.

    A fragment: opening a source does not end an answer that is being written.
    """
    if not answer.citations:
        return
    passages = {passage.marker: passage.hit.chunk for passage in answer.passages}
    st.html('<h4 class="plumb-title">Sources</h4>')
    for citation in {one.marker: one for one in answer.citations}.values():
        with st.container(border=True, gap="xsmall"):
            _draw(engine, answer, citation, passages.get(citation.marker))


def _draw(engine: Engine, answer: Answer, citation: Citation, chunk: Chunk | None) -> None:
    place = f"{answer.trace_id}-{citation.marker}"
    st.html(source_html(citation, chunk, name=f"{anchor(answer)}-{citation.marker}"))
    if chunk is None:
        return
    key, picture = f"passage-{place}", f"picture-{place}"
    with st.expander(
        "Whole passage", type="compact", key=key, on_change=_opened, args=(engine, answer, citation.marker, key)
    ):
        st.html(passage_html(chunk, citation.quote))
    if chunk.boxes:
        label = f"Show [{citation.marker}] on page {chunk.page or 1}"
        shown = st.toggle(
            literal(label), key=picture, on_change=_opened, args=(engine, answer, citation.marker, picture)
        )
        if shown:
            draw_page_picture(chunk, engine.settings)


def _opened(engine: Engine, answer: Answer, marker: int, key: str) -> None:
    if st.session_state.get(key):
        note(engine, answer, "opened", citation=marker)
