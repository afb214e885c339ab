"""Projects that the page opens, each with its own engine, and a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from browser import Served, serve
from pages import DOCUMENTS, MakeProject, Visitor, fill, write_project
from playwright.sync_api import Browser, sync_playwright
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without a window."""
    path = shutil.which("chromium")
    if not path:
        assert not os.environ.get("PLUMB_TEST_BROWSER"), "PLUMB_TEST_BROWSER is set, and there is no chromium"
        pytest.skip("needs chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def quoting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page whose model quotes the passages."""
    folder = write_project(tmp_path_factory.mktemp("ui") / "quoting")
    fill(folder)
    with serve(folder) as served:
        yield served


def _forget() -> None:
    # What the page caches outlives a test: the engine of another project.
    st.cache_resource.clear()
    st.cache_data.clear()
