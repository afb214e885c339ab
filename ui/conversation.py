"""The conversation of one browser tab: held in Streamlit's session state, and kept in the file of conversations."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from rag.access import may_read
from rag.engine import Engine
from rag.errors import PlumbError, StoreError
from rag.settings import Settings
from rag.types import Scope, Turn
from ui.chats import Chats, are_kept, open_chats
from ui.details import steps_of
from ui.exchange import Exchange
from ui.visitor import owner_of_visitor, scope_of_visitor

EXCHANGES = "exchanges"
SESSION = "session_id"
OWNER = "owner"
PROBLEM = "not_kept"
# In the page's address: a reload begins another session, and opens the same conversation.
ADDRESS = "chat"

log = logging.getLogger("plumbline")


def exchanges() -> tuple[Exchange, ...]:
    """All exchanges of this conversation, oldest first."""
    held: tuple[Exchange, ...] = st.session_state.get(EXCHANGES, ())
    return held


def session_id() -> str:
    """The id of this conversation, which its traces share."""
    held: str = st.session_state.setdefault(SESSION, uuid.uuid4().hex)
    return held


def chats_of(settings: Settings) -> Chats | None:
    """The file of conversations; None where none are kept."""
    return _opened(str(settings.data_path), settings) if are_kept(settings) else None


def put(settings: Settings, question: str) -> None:
    """Add a question that waits for its answer."""
    _ask(settings, Exchange(id=uuid.uuid4().hex, question=question), after=exchanges())


def hold(exchange: Exchange) -> None:
    """Replace the exchange that has the same id, in this tab only."""
    st.session_state[EXCHANGES] = tuple(exchange if held.id == exchange.id else held for held in exchanges())


def keep(settings: Settings, exchange: Exchange) -> None:
    """Replace the exchange that has the same id, in the file too."""
    hold(exchange)
    owner = owner_of_visitor(settings)
    write(settings, lambda chats: chats.change(owner, exchange))


def ask_again(settings: Settings, exchange: Exchange, question: str) -> None:
    """Ask in the place of an exchange, which goes with all that came after it; the same question is answered anew."""
    earlier = exchanges()[: [held.id for held in exchanges()].index(exchange.id)]
    anew = question == exchange.question
    _ask(settings, Exchange(id=uuid.uuid4().hex, question=question, anew=anew), after=earlier)


def settle(engine: Engine) -> None:
    """Find the conversation that is open, and call what was interrupted by its name.

    To be called once, when a run of the script begins.
    """
    owner = owner_of_visitor(engine.settings)
    if st.session_state.setdefault(OWNER, owner) != owner:
        begin_anew()
        st.session_state[OWNER] = owner
    for exchange in exchanges():
        if exchange.state == "answering":
            keep(engine.settings, replace(exchange, state="stopped"))
    if not exchanges() and ADDRESS in st.query_params:
        open_chat(engine, st.query_params[ADDRESS])
    _show_address(engine.settings)


def open_chat(engine: Engine, chat: str) -> None:
    """Go on with an earlier conversation of this visitor; nothing happens where there is none of this id."""
    chats, scope = chats_of(engine.settings), scope_of_visitor(engine.settings)
    try:
        found = chats.exchanges(owner_of_visitor(engine.settings), chat) if chats else []
    except StoreError as error:
        _complain(error)
        return
    if found:
        st.session_state[EXCHANGES] = tuple(_readable(engine, exchange, scope) for exchange in found)
        st.session_state[SESSION] = chat


def begin_anew() -> None:
    """Leave the conversation; it stays in the file, and its traces in theirs."""
    st.session_state[EXCHANGES] = ()
    st.session_state.pop(SESSION, None)
    st.query_params.pop(ADDRESS, None)


def turns(held: Sequence[Exchange]) -> list[Turn]:
    """The answered exchanges as the engine wants them."""
    return [
        Turn(question=one.question, answer=one.answer.text, readers=one.answer.readers) for one in held if one.answer
    ]


def write(settings: Settings, change: Callable[[Chats], None]) -> None:
    """Change the file of conversations, if there is one; a disk that refuses costs nothing but that."""
    if (chats := chats_of(settings)) is None:
        return
    try:
        change(chats)
    except StoreError as error:
        _complain(error)


@st.cache_resource(show_spinner=False)
def _opened(folder: str, _settings: Settings) -> Chats:  # noqa: ARG001 - the key of the cache
    return open_chats(_settings)


def _ask(settings: Settings, exchange: Exchange, *, after: Sequence[Exchange]) -> None:
    gone = [held.id for held in exchanges()[len(after) :]]
    st.session_state[EXCHANGES] = (*after, exchange)
    owner, chat = owner_of_visitor(settings), session_id()
    write(settings, lambda chats: chats.add(owner, chat, exchange, instead_of=gone))


def _readable(engine: Engine, exchange: Exchange, scope: Scope) -> Exchange:
    """The exchange with its steps, or without its answer where that is no longer this visitor's to read."""
    if exchange.answer is None:
        return exchange
    try:
        is_readable = may_read(engine.searcher.index, exchange.answer, scope)
    except PlumbError as error:
        log.warning("whether an answer may still be read was not found out: %s", error)
        is_readable = False
    if not is_readable:
        return replace(exchange, state="withheld", answer=None)
    return replace(exchange, steps=steps_of(engine, exchange.answer.trace_id))


def _show_address(settings: Settings) -> None:
    if exchanges() and are_kept(settings):
        st.query_params[ADDRESS] = session_id()
    else:
        st.query_params.pop(ADDRESS, None)


def _complain(error: StoreError) -> None:
    log.warning("the file of conversations can't be used: %s", error)
    st.session_state[PROBLEM] = str(error)
