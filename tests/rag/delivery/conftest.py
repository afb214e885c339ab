"""A server that takes traces, and a file of traces that go there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from langfuse_server import PUBLIC_KEY, SECRET_KEY, FakeLangfuse, running

from rag.observe.spool import Spool, open_spool
from rag.sections import LangfuseServer
from rag.settings import Settings


@pytest.fixture
def fake() -> Iterator[FakeLangfuse]:
    """A Langfuse server on the loopback that does as it is told."""
    with running() as server:
        yield server


@pytest.fixture
def settings(fake: FakeLangfuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", PUBLIC_KEY)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", SECRET_KEY)
    return Settings(root=tmp_path, langfuse=LangfuseServer(host=fake.url, timeout_s=0.5))


@pytest.fixture
def spool(settings: Settings) -> Spool:
    return open_spool(settings)
