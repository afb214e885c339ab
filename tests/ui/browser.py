"""The page as a user starts it, and a browser that visits it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Locator, Page, expect

from rag.observe.spool import Spool, open_spool
from rag.settings import load_settings

PATIENCE_MS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running page and its traces."""

    url: str
    spool: Spool


@contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """`plumb ui` for a project folder, until the block ends."""
    config, port, log = folder / "plumbline.toml", free_port(), folder / "ui.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "rag.cli", "--config", str(config), "ui", "--no-browser", "--port", str(port)],
            stdout=output,
            stderr=output,
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith(("PLUMB_", "LANGFUSE_"))},
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", server, log)
        yield Served(url=f"http://127.0.0.1:{port}", spool=open_spool(load_settings(config)))
    finally:
        server.terminate()
        server.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the page did not start: {log.read_text()}")


@contextmanager
def visit(chromium: Browser, served: Served) -> Iterator[Page]:
    """A new visitor's page; fails when the browser asked any other host for anything."""
    # A context of its own is a browser of its own, whose pages share its cookies.
    page = chromium.new_context().new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served.url)
    expect(page.get_by_placeholder("Ask about the documents")).to_be_visible()
    yield page
    assert {urlsplit(url).hostname for url in asked if url.startswith(("http", "ws"))} == {"127.0.0.1"}
    page.context.close()


def screenshot(page: Page, name: str) -> None:
    """A picture of the page, where somebody wants to look at it."""
    if folder := os.environ.get("PLUMB_TEST_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def choose_theme(page: Page, theme: str) -> None:
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    page.get_by_role("button", name="Main menu").click()
    page.get_by_role("menuitemradio", name=theme).click()
    page.keyboard.press("Escape")


def escape_from(opened: Locator) -> None:
    """Press Escape until it is gone: on a busy machine a dialog may be seen before it listens."""
    for _ in range(20):
        opened.page.keyboard.press("Escape")
        opened.page.wait_for_timeout(250)
        if not opened.count():
            return
    raise AssertionError("Escape does not close it")


def ask(page: Page, question: str) -> None:
    box = page.get_by_placeholder("Ask about the documents")
    expect(box).to_be_editable()
    box.fill(question)
    box.press("Enter")
