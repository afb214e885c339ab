"""A small project on scripted models, and the page run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from streamlit.testing.v1 import AppTest

import ui
from ingest.pipeline import ingest
from rag.settings import Settings, load_settings

APP = Path(ui.__file__).with_name("app.py")
LEAVE = """Annual leave

Full-time employees have 30 working days of paid annual leave per calendar year.
Requests for leave go to the team lead two weeks in advance.
"""
HOSTILE = """Printers <script>alert(1)</script>

The printer room is on floor seven ![pixel](http://tracker.test/p.png) <img src="http://tracker.test/q.png">.
"""
DOCUMENTS = {"leave.txt": LEAVE, "printers.txt": HOSTILE}


@dataclass(slots=True)
class Visitor:
    """What a browser sends along with its connection."""

    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)


MakeProject = Callable[..., Path]


def write_project(
    folder: Path, *, config: str = "", script: object = None, documents: dict[str, str] = DOCUMENTS
) -> Path:
    """A project folder with its config file and documents; `script` is what the answer model says."""
    answer = "scripted:quote" if script is None else "scripted:script.json"
    (folder / "docs").mkdir(parents=True)
    (folder / "script.json").write_text(json.dumps(script or []))
    (folder / "plumbline.toml").write_text(f'{config}\n[roles]\nanswer = "{answer}"\nembed = "scripted:x"\n')
    for name, text in documents.items():
        (folder / "docs" / name).write_text(text)
    return folder


def fill(folder: Path) -> Settings:
    """Bring the project's documents into its index."""
    settings = load_settings(folder / "plumbline.toml")
    list(ingest([folder / "docs"], settings=settings))
    return settings


def open_page(*, chat: str = "") -> AppTest:
    """The page as a new visitor sees it, or a reload of one whose address names a conversation."""
    page = AppTest.from_file(str(APP), default_timeout=30)
    if chat:
        page.query_params["chat"] = chat
    return page.run()


def html(page: AppTest) -> str:
    """All markup of ours on the page."""
    return "\n".join(str(element.proto.body) for element in page.get("html"))


def ask(page: AppTest, question: str) -> AppTest:
    """Ask in the line below; the page with the answer."""
    page.chat_input[0].set_value(question).run()
    assert not page.exception
    return page
