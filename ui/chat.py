"""One exchange on the page: the question, the answer while it is written, and the checked answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import streamlit as st

from rag.abstention import why
from rag.engine import Delta, Engine, Event, Stage
from rag.errors import PlumbError
from rag.language import phrases
from rag.llm.protocol import Restart
from rag.types import Answer
from ui.actions import draw_actions, draw_edit, note_rephrased
from ui.conversation import exchanges, hold, keep, session_id, turns
from ui.details import draw_details, steps_of
from ui.evidence import anchor, closest_html, verdict_html
from ui.exchange import Exchange
from ui.markup import answer_html, literal
from ui.rating import draw_rating
from ui.sources import draw_sources
from ui.visitor import scope_of_visitor

STAGES = {
    "retrieve": "Looking for passages …",
    "generate": "Reading the passages …",
    "write": "Writing …",
    "vote": "Several models answer …",
    "restart": "That was not it. Another model begins anew …",
    "verify": "Checking every claim …",
}
GIVEN_BEFORE = "This question was answered before, and nothing it rests on has changed. Rated down, it is asked anew."
WITHHELD = "This answer rests on documents that are not yours to read, or no longer there. Ask again for a new one."
UNEXPECTED = "Something went wrong that should not have. The server's log has the details; please try again."
# Drawing every token of a fast model would keep the browser busy.
REDRAW_S = 0.05

log = logging.getLogger("plumbline")


def draw_exchange(engine: Engine, exchange: Exchange) -> None:
    """The question and what became of it; a question that waits for its answer is answered now."""
    with st.chat_message("user", avatar=":material/person:"):
        # One that is too long is refused by the engine, in words; a limit of the input would cut it silently.
        limit = engine.settings.limits.question_chars
        st.text(exchange.question if len(exchange.question) <= limit else f"{exchange.question[:limit]} …")
        if exchange.state != "asked":
            draw_edit(engine, exchange)
    with st.chat_message("assistant", avatar=":material/menu_book:"):
        match exchange.state:
            case "asked":
                _answer_now(engine, exchange)
            case "failed":
                st.error(literal(exchange.problem), icon=":material/error:")
            case "withheld":
                st.info(WITHHELD, icon=":material/lock:")
            case "answered" if exchange.answer:
                _draw_answer(engine, exchange, exchange.answer)
            case _:
                _draw_stopped(exchange)


def _answer_now(engine: Engine, exchange: Exchange) -> None:
    """Answer while the page watches; any rerun of the script (the stop button asks for one) ends it."""
    earlier = turns(exchanges())
    hold(replace(exchange, state="answering"))
    try:
        scope = scope_of_visitor(engine.settings)
        stream = engine.stream_anew if exchange.anew else engine.stream
        told = stream(exchange.question, history=earlier, session_id=session_id(), scope=scope)
        with closing(told) as events:
            answer = _draw_stream(exchange, events)
        steps = steps_of(engine, answer.trace_id)
        note_rephrased(engine, exchange.question)
        keep(engine.settings, replace(exchange, state="answered", answer=answer, steps=steps))
    except PlumbError as error:
        keep(engine.settings, replace(exchange, state="failed", problem=str(error)))
    except Exception:
        log.exception("answering failed")
        keep(engine.settings, replace(exchange, state="failed", problem=UNEXPECTED))
    st.rerun()


def _draw_stream(exchange: Exchange, events: Generator[Event, None, None]) -> Answer:
    body, stage = st.empty(), st.empty()
    st.button("Stop", key=f"stop-{exchange.id}", icon=":material/stop_circle:", type="tertiary")
    text, drawn_at = "", 0.0
    for event in events:
        match event:
            case Stage(name=name):
                body.html(answer_html(text))
                stage.html(_stage_html(name))
            case Delta(text=piece):
                if not text:
                    stage.html(_stage_html("write"))
                text += piece
                hold(replace(exchange, state="answering", text=text))
                if time.monotonic() - drawn_at > REDRAW_S:
                    body.html(answer_html(text))
                    drawn_at = time.monotonic()
            case Restart():
                text = ""
                hold(replace(exchange, state="answering"))
                body.html(answer_html(text))
                stage.html(_stage_html("restart"))
            case Answer():
                return event
    raise RuntimeError("the engine ended without an answer")


def _stage_html(name: str) -> str:
    return f'<p class="plumb-stage" role="status">{STAGES[name]}</p>'


def _draw_answer(engine: Engine, exchange: Exchange, answer: Answer) -> None:
    if answer.abstained:
        said = phrases(exchange.question, otherwise=engine.settings.retrieve.language)
        st.info(why(answer.abstention, answer.hits, said), icon=":material/search_off:")
        st.html(closest_html(answer, said))
    else:
        markers = {citation.marker for citation in answer.citations}
        st.html(answer_html(answer.text, markers=markers, anchor=anchor(answer)))
        st.html(verdict_html(answer))
        draw_sources(engine, answer)
        if answer.given_before:
            st.caption(GIVEN_BEFORE)
    draw_actions(engine, exchange, answer)
    # What has no trace any more can't be rated.
    if exchange.steps:
        draw_rating(engine, answer)
    draw_details(answer, exchange.steps)


def _draw_stopped(exchange: Exchange) -> None:
    if exchange.text:
        st.html(answer_html(exchange.text))
    st.caption("Stopped before the answer was finished and checked.")
