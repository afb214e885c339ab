"""Projects that the page opens, each with its own engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from pages import DOCUMENTS, MakeProject, Visitor, fill, write_project
from streamlit.runtime.context import ContextProxy


@pytest.fixture(autouse=True)
def visitor(monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """What the browser of whoever opens a page sends along; Streamlit's own stand-in sends nothing usable."""
    sent = Visitor()
    monkeypatch.setattr(ContextProxy, "headers", property(lambda _: sent.headers))
    monkeypatch.setattr(ContextProxy, "cookies", property(lambda _: sent.cookies))
    return sent


@pytest.fixture
def make_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeProject]:
    """Makes the project that the page opens; returns its folder."""

    def make(*, config: str = "", script: object = None, documents: dict[str, str] = DOCUMENTS) -> Path:
        folder = write_project(tmp_path / "project", config=config, script=script, documents=documents)
        monkeypatch.setenv("PLUMB_CONFIG", str(folder / "plumbline.toml"))
        if documents:
            fill(folder)
        return folder

    _forget()
    yield make
    _forget()


def _forget() -> None:
    # What the page caches outlives a test: the engine of another project.
    st.cache_resource.clear()
    st.cache_data.clear()
