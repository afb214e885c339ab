"""The visitor's conversations in the side bar: open one, name it, delete it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import groupby

import streamlit as st

from rag.engine import Engine
from rag.errors import StoreError
from rag.settings import Settings
from ui.chats import NAME_CHARS, Chat
from ui.conversation import PROBLEM, begin_anew, chats_of, exchanges, open_chat, session_id, write
from ui.markup import literal
from ui.visitor import owner_of_visitor, remember_browser

# So many are shown, and so many more at each press of the button.
PAGE = 30
SHOWN = "chats-shown"


def draw_earlier(engine: Engine) -> None:
    """The list, newest first, by day; the open one can be named and deleted."""
    settings = engine.settings
    if chats_of(settings) is None:
        return
    remember_browser(settings)
    shown = st.session_state.setdefault(SHOWN, PAGE)
    found = _listed(settings, limit=shown + 1)
    if problem := st.session_state.pop(PROBLEM, ""):
        st.warning(literal(f"Conversations are not kept: {problem}"))
    with st.container(key="plumb-earlier", gap="xxsmall"):
        for day, chats in groupby(found[:shown], key=lambda chat: group(chat.changed_at)):
            st.caption(day)
            for chat in chats:
                _draw_chat(engine, chat)
        if len(found) > shown:
            st.button("Show more", type="tertiary", on_click=_show_more)


def group(changed_at: float, *, today: date | None = None) -> str:
    """What a list calls the day of a conversation."""
    day, now = datetime.fromtimestamp(changed_at).astimezone().date(), today or datetime.now().astimezone().date()
    if day >= now:
        return "Today"
    if day == now - timedelta(days=1):
        return "Yesterday"
    return "Last 7 days" if day > now - timedelta(days=7) else "Older"


def _listed(settings: Settings, *, limit: int) -> Sequence[Chat]:
    chats = chats_of(settings)
    try:
        return chats.listed(owner_of_visitor(settings), limit=limit) if chats else ()
    except StoreError as error:
        st.session_state[PROBLEM] = str(error)
        return ()


def _draw_chat(engine: Engine, chat: Chat) -> None:
    is_open = bool(exchanges()) and chat.id == session_id()
    st.button(
        literal(chat.name),
        key=f"chat-{chat.id}",
        type="secondary" if is_open else "tertiary",
        on_click=open_chat,
        args=(engine, chat.id),
        width="stretch",
    )
    if is_open:
        _draw_changes(engine.settings, chat)


def _draw_changes(settings: Settings, chat: Chat) -> None:
    with st.container(horizontal=True, gap="small"):
        with (
            st.popover("Rename", icon=":material/edit:", type="tertiary", key=f"change-{chat.id}"),
            st.form(f"rename-{chat.id}", border=False),
        ):
            st.text_input("Name", chat.name, key=f"name-{chat.id}", max_chars=NAME_CHARS)
            st.form_submit_button("Save", on_click=_rename, args=(settings, chat))
        # A dialog above an open popover would not get the Escape key.
        if st.button("Delete", key=f"delete-{chat.id}", icon=":material/delete:", type="tertiary"):
            _confirm(settings, chat)


@st.dialog("Delete this conversation?")
def _confirm(settings: Settings, chat: Chat) -> None:
    st.markdown(literal(chat.name))
    st.caption("It can't be brought back. The traces of its answers stay.")
    with st.container(horizontal=True):
        is_deleted = st.button("Delete it", key="delete", type="primary", on_click=_delete, args=(settings, chat))
        if st.button("Keep it", key="delete-not") or is_deleted:
            st.rerun()


def _delete(settings: Settings, chat: Chat) -> None:
    owner = owner_of_visitor(settings)
    write(settings, lambda chats: chats.delete(owner, chat.id))
    begin_anew()


def _rename(settings: Settings, chat: Chat) -> None:
    owner, name = owner_of_visitor(settings), str(st.session_state[f"name-{chat.id}"])
    write(settings, lambda chats: chats.rename(owner, chat.id, name))


def _show_more() -> None:
    st.session_state[SHOWN] += PAGE
