"""Who looks at the page, as the proxy in front of it tells, or else which browser."""

from __future__ import annotations

import re
import uuid

import streamlit as st

from rag.settings import Settings
from rag.types import Scope

BROWSER = "plumb_browser"
# As long as browsers keep a cookie at most.
MAX_AGE_S = 400 * 86_400


def scope_of_visitor(settings: Settings) -> Scope:
    """User and groups from the headers that the settings name; without them, nobody in particular."""
    options, headers = settings.ui, st.context.headers
    user = headers.get(options.user_header) if options.user_header else None
    groups = headers.get(options.groups_header) if options.groups_header else None
    named = tuple(name.strip() for name in (groups or "").split(",") if name.strip())
    return Scope(user=(user or "").strip(), groups=named)


def owner_of_visitor(settings: Settings) -> str:
    """Whose a conversation or an uploaded file is: the user's, or of somebody without a name this browser's."""
    user = scope_of_visitor(settings).user
    return f"user:{user}" if user else f"browser:{_browser()}"


def remember_browser(settings: Settings) -> None:
    """Have the browser of a visitor without a name keep its id, unless it does; drawn where the page is."""
    if scope_of_visitor(settings).user or BROWSER in st.context.cookies:
        return
    cookie = f"{BROWSER}={_browser()};path=/;max-age={MAX_AGE_S};samesite=strict"
    secure = "(location.protocol === 'https:' ? ';secure' : '')"
    # Of two tabs that open at once the first one names the browser.
    kept = f"document.cookie.includes('{BROWSER}=') || (document.cookie = '{cookie}' + {secure})"
    st.html(f"<script>{kept}</script>", unsafe_allow_javascript=True)


def _browser() -> str:
    """A random id that nobody can guess, from the cookie or for this tab."""
    told = st.context.cookies.get(BROWSER) or ""
    known = told if re.fullmatch(r"[0-9a-f]{32}", told) else uuid.uuid4().hex
    held: str = st.session_state.setdefault(BROWSER, known)
    return held
