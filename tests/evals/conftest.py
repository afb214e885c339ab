"""A small project with two documents, scripted models and a few cases."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ingest.pipeline import ingest
from rag.engine import Engine
from rag.settings import Settings, load_settings

LEAVE = "# Annual leave\n\nFull-time employees have 28 working days of annual leave a year.\n"
TRAVEL = "# Travel\n\nThe company pays EUR 0.38 per kilometre for a private car.\n"
SCRIPT = [
    {"match": "Question: .*leave", "reply": "Full-time employees have 28 working days of annual leave a year [1]."},
    {"match": "Question: .*kilometre", "reply": "The company pays for a private bicycle and a train ticket."},
    {"match": "Question: .*broken", "error": "the server is down"},
    {"match": "Question: .*", "reply": "NOT IN THE DOCUMENTS"},
]
CASES: list[dict[str, Any]] = [
    {
        "id": "leave",
        "question": "How much leave is there?",
        "facts": [["28"]],
        "sources": ["hr/leave.md"],
        "tags": ["hr"],
    },
    {
        "id": "car",
        "question": "What is paid per kilometre?",
        "facts": [["0.38"]],
        "sources": ["travel.md"],
        "split": "dev",
    },
    {"id": "moon", "question": "How far is the moon?", "answerable": False},
]
BROKEN: dict[str, Any] = {"id": "bad", "question": "What is broken?", "answerable": False}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A filled project in tmp_path."""
    (tmp_path / "plumbline.toml").write_text('[roles]\nanswer = "scripted:script.json"\nembed = "scripted:words"\n')
    (tmp_path / "script.json").write_text(json.dumps(SCRIPT))
    (tmp_path / "docs" / "hr").mkdir(parents=True)
    (tmp_path / "docs" / "hr" / "leave.md").write_text(LEAVE)
    (tmp_path / "docs" / "travel.md").write_text(TRAVEL)
    loaded = load_settings(tmp_path / "plumbline.toml")
    list(ingest([tmp_path / "docs"], settings=loaded))
    return loaded


@pytest.fixture
def engine(settings: Settings) -> Engine:
    """The engine of that project."""
    return Engine.from_settings(settings)


@pytest.fixture
def write_cases(tmp_path: Path) -> Callable[[Sequence[dict[str, Any]]], Path]:
    """Write cases as a dataset."""

    def write(cases: Sequence[dict[str, Any]]) -> Path:
        path = tmp_path / "questions.jsonl"
        path.write_text("".join(json.dumps(case) + "\n" for case in cases))
        return path

    return write


@pytest.fixture
def cases() -> list[dict[str, Any]]:
    """One case answered rightly, one wrongly, one to be declined."""
    return CASES


@pytest.fixture
def broken() -> dict[str, Any]:
    """A case whose question fails."""
    return BROKEN
