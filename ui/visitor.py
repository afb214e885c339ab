"""Who looks at the page, as the proxy in front of it tells."""

from __future__ import annotations

import streamlit as st

from rag.settings import Settings
from rag.types import Scope


def scope_of_visitor(settings: Settings) -> Scope:
    """User and groups from the headers that the settings name; without them, nobody in particular."""
    options, headers = settings.ui, st.context.headers
    user = headers.get(options.user_header) if options.user_header else None
    groups = headers.get(options.groups_header) if options.groups_header else None
    named = tuple(name.strip() for name in (groups or "").split(",") if name.strip())
    return Scope(user=(user or "").strip(), groups=named)
