"""Streams from a server that end when nobody wants them any more, whatever the server goes on sending."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

from rag.llm.protocol import Piece


class Stopped(Exception):
    """Nobody waits for this stream any more."""


class StoppableStream:
    """A stream of pieces that another thread can end."""

    def __init__(self, pieces: Generator[Piece, None, None], stop: Callable[[], None]) -> None:
        """`stop` has the reader of the pieces end, which reads through a response that `watch()` watches."""
        self._pieces = pieces
        self._stop = stop

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        return next(self._pieces)

    def close(self) -> None:
        """Close the response."""
        self._pieces.close()

    def stop(self) -> None:
        """Want no more of it; may be called by any thread."""
        self._stop()


def watch(response: Any, stopped: threading.Event) -> None:
    """Have whoever reads the response end with Stopped at the first bytes that come after `stopped` is set.

    These are seen here only: what keeps a connection alive is no event of the client.
    """
    response.iter_bytes = partial(_watched, response.iter_bytes, stopped)


def _watched(read: Callable[[], Iterator[bytes]], stopped: threading.Event) -> Iterator[bytes]:
    for some in read():
        if stopped.is_set():
            raise Stopped
        yield some
