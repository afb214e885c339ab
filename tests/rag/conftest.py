"""What several tests of models share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chat_server import FakeChat, running


@pytest.fixture
def server() -> Iterator[FakeChat]:
    """A chat server on the loopback that does as it is told."""
    with running() as fake:
        yield fake
