"""What can be done with a question and its answer: edit and send it again, answer it anew, copy it."""

from __future__ import annotations

import logging

import streamlit as st

from rag.embed.question import question_vector
from rag.engine import Engine
from rag.errors import PlumbError
from rag.triage import SAME_COMPLAINT
from rag.types import Answer, Signal
from ui.conversation import ask_again, exchanges
from ui.exchange import Exchange

log = logging.getLogger("plumbline")


def draw_edit(engine: Engine, exchange: Exchange) -> None:
    """A form to change a question; what came of it and after it goes."""
    with (
        st.popover("Edit", icon=":material/edit:", type="tertiary", key=f"edit-{exchange.id}"),
        st.form(f"edited-{exchange.id}", border=False),
    ):
        longest = engine.settings.limits.question_chars
        st.text_area("Question", exchange.question[:longest], key=f"question-{exchange.id}", max_chars=longest)
        st.form_submit_button("Send again", on_click=_edited, args=(engine, exchange))


def draw_actions(engine: Engine, exchange: Exchange, answer: Answer) -> None:
    """Copying, and, of the last answer, another one."""
    with st.container(horizontal=True, gap="small"):
        with st.popover(
            "Copy",
            icon=":material/content_copy:",
            type="tertiary",
            key=f"copy-{exchange.id}",
            on_change=_copied,
            args=(engine, exchange, answer),
        ):
            st.code(answer.text, language=None, wrap_lines=True)
        if exchange.id == exchanges()[-1].id:
            st.button(
                "Regenerate",
                icon=":material/refresh:",
                type="tertiary",
                key=f"anew-{exchange.id}",
                on_click=_regenerated,
                args=(engine, exchange, answer),
            )


def note_rephrased(engine: Engine, question: str) -> None:
    """Note on the answer before that its question is asked again in other words, if it is."""
    before = next((one for one in reversed(exchanges()) if one.answer), None)
    if before is None or before.answer is None or not engine.settings.trace.enabled:
        return
    try:
        embedder = engine.searcher.index.embedder
        first, second = (question_vector(asked, embedder) for asked in (before.question, question))
        if sum(a * b for a, b in zip(first, second, strict=True)) >= SAME_COMPLAINT:
            note(engine, before.answer, "rephrased")
    except PlumbError as error:
        log.debug("whether a question was asked before was not found out: %s", error)


def _edited(engine: Engine, exchange: Exchange) -> None:
    question = st.session_state[f"question-{exchange.id}"].strip()
    if question and exchange.answer:
        note(engine, exchange.answer, "edited")
    if question:
        ask_again(engine.settings, exchange, question)


def _regenerated(engine: Engine, exchange: Exchange, answer: Answer) -> None:
    note(engine, answer, "regenerated")
    ask_again(engine.settings, exchange, exchange.question)


def _copied(engine: Engine, exchange: Exchange, answer: Answer) -> None:
    if st.session_state.get(f"copy-{exchange.id}"):
        note(engine, answer, "copied")


def note(engine: Engine, answer: Answer, signal: Signal, *, citation: int = 0) -> None:
    """Note what was done with an answer, or with the citation of this number; it may fail, and nobody is told."""
    if not engine.settings.trace.enabled:
        return
    try:
        engine.spool.add_signal(answer.trace_id, signal, citation=citation)
    except PlumbError as error:
        log.warning("what was done with an answer was not noted: %s", error)
