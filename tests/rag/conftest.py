"""What several tests of models share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chat_server import FakeChat, running
from hand_clock import Clock

from rag.llm import make_llm
from rag.llm.protocol import LLM
from rag.settings import Settings


@pytest.fixture
def server() -> Iterator[FakeChat]:
    """A chat server on the loopback that does as it is told."""
    with running() as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[..., LLM]:
    """A scripted model called by its file, with one entry that always matches, or with these entries."""

    def make(name: str, *entries: dict[str, object], **entry: object) -> LLM:
        (tmp_path / f"{name}.json").write_text(json.dumps(entries or [{"match": "", **entry}]))
        return make_llm(Settings(root=tmp_path), f"scripted:{name}.json", role="answer")

    return make
