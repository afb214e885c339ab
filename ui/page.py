"""The whole page: its frame, its pages, the side bar, the conversation and the line to ask in."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from rag.engine import Engine
from rag.errors import PlumbError
from rag.observe.ship import start_background
from rag.settings import Settings, load_settings
from ui.adding import draw_adding, may_add
from ui.chat import UNEXPECTED, draw_exchange
from ui.conversation import begin_anew, exchanges, put, settle
from ui.earlier import draw_earlier
from ui.evals_page import draw_evals
from ui.health_page import draw_health
from ui.markup import literal, text_html
from ui.reviewing import may_review
from ui.traces_page import choose, draw_traces
from ui.triage_page import draw_triage
from ui.visitor import scope_of_visitor

STYLE = Path(__file__).with_name("page.css")
# A file: Streamlit fetches named icons and emojis of a page from other servers.
ICON = Path(__file__).with_name("icon.svg")
QUESTION = "question"
# The chat is the first page: its address has no path.
CENTERED = ("", "chat")

log = logging.getLogger("plumbline")


def page() -> None:
    """Draw the page; every error becomes one line on it."""
    try:
        _draw()
    except PlumbError as error:
        st.error(literal(str(error)), icon=":material/error:")
    except Exception:
        log.exception("the page failed")
        st.error(UNEXPECTED, icon=":material/error:")


@st.cache_resource(show_spinner=False)
def _settings() -> Settings:
    return load_settings()


@st.cache_resource(show_spinner="Opening the index …")
def _engine() -> Engine:
    engine = Engine.from_settings(_settings())
    engine.warm()
    start_background(engine.spool, engine.settings)
    return engine


@st.cache_data(ttl=20, show_spinner=False)
def _count() -> int:
    return _engine().searcher.index.store.count()


def _draw() -> None:
    st.set_page_config(page_title="Plumbline", page_icon=ICON)
    settings = _settings()
    st.set_page_config(page_title=settings.ui.title)
    engine = _engine()
    chosen = st.navigation(_pages(engine), position="sidebar" if may_review(settings) else "hidden")
    st.set_page_config(layout="centered" if chosen.url_path in CENTERED else "wide")
    st.html(STYLE)
    chosen.run()


def _pages(engine: Engine) -> list[StreamlitPage]:
    """The pages that this visitor sees."""
    chat = st.Page(partial(_draw_chat, engine), title="Chat", icon=":material/chat:", url_path="chat", default=True)
    if not may_review(engine.settings):
        return [chat]
    traces = st.Page(partial(draw_traces, engine), title="Traces", icon=":material/search:", url_path="traces")
    looks = st.Page(partial(draw_health, engine), title="Health", icon=":material/monitoring:", url_path="health")
    sort = partial(draw_triage, engine, partial(_show, traces))
    triage = st.Page(sort, title="Triage", icon=":material/inbox:", url_path="triage")
    runs = partial(draw_evals, engine, partial(_show, traces))
    measured = st.Page(runs, title="Evals", icon=":material/rule:", url_path="evals")
    return [chat, traces, triage, looks, measured]


def _show(traces: StreamlitPage, trace_id: str) -> None:
    """Go to a trace."""
    choose(trace_id)
    st.switch_page(traces)


def _draw_chat(engine: Engine) -> None:
    settle(engine)
    _draw_side(engine)
    st.chat_input(
        "Ask about the documents",
        key=QUESTION,
        submit_mode="disable",
        on_submit=_submit,
        args=(engine.settings,),
    )
    # A slot of its own: what was drawn in it would stay visible while the first answer is written.
    welcome = st.empty()
    if not exchanges():
        with welcome.container():
            _draw_welcome(engine.settings)
    for exchange in exchanges():
        draw_exchange(engine, exchange)


def _submit(settings: Settings) -> None:
    put(settings, st.session_state[QUESTION])


def _draw_side(engine: Engine) -> None:
    with st.sidebar:
        st.html(f'<p class="plumb-brand">{text_html(engine.settings.ui.title)}</p>')
        st.button("New conversation", icon=":material/add:", on_click=begin_anew, width="stretch")
        draw_earlier(engine)
        if may_add(engine.settings):
            draw_adding(engine, _count.clear)
        st.html(_side_html(engine))


def _side_html(engine: Engine) -> str:
    passages, index = _passages(), engine.searcher.opened
    scope = scope_of_visitor(engine.settings)
    known = [*filter(None, [scope.user]), *(f"group {group}" for group in scope.groups)]
    facts = {
        **({"You": ", ".join(known)} if known else {}),
        "Answers": (" or " if engine.settings.generate.strategy == "vote" else ", then ").join(
            engine.settings.roles.candidates("answer")
        ),
        "Embeddings": index.embedder.name,
        "Index": f"{index.name} ({engine.settings.store.kind}), {passages}",
    }
    shown = "".join(f"<dt>{term}</dt><dd>{text_html(fact)}</dd>" for term, fact in facts.items())
    return f'<dl class="plumb-facts plumb-side">{shown}</dl>'


def _passages() -> str:
    try:
        return f"{_count():,} passages"
    except PlumbError as error:
        log.warning("the passages can't be counted: %s", error)
        return "can't be read"


def _draw_welcome(settings: Settings) -> None:
    st.html(
        f'<div class="plumb-welcome"><h1>{text_html(settings.ui.title)}</h1><p>Ask about your documents. Each answer '
        "cites the passages it rests on, and every claim is checked against them.</p></div>"
    )
    if _passages().startswith("0 "):
        st.info("The index is empty. Fill it with `plumb ingest PATH`, then ask.", icon=":material/info:")
    for number, example in enumerate(settings.ui.examples):
        st.button(literal(example), key=f"example-{number}", on_click=put, args=(settings, example), width="stretch")
