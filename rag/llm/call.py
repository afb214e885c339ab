"""One call of a model that can be left while it is silent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from queue import Empty, SimpleQueue

from rag.llm.protocol import Piece


class Call:
    """A stream that a thread of its own reads, so that whoever waits for it can stop waiting.

    Once left, its stream is closed by that thread: with its next piece, or when its client gives up on a silent
    server. No client can be interrupted while it waits for bytes.
    """

    def __init__(self, begin: Callable[[], Iterator[Piece]], *, ended: Callable[[], None]) -> None:
        """Begin; `ended` is called once, when the stream is closed."""
        self._arrived: SimpleQueue[Piece | BaseException | None] = SimpleQueue()
        self._left = threading.Event()
        threading.Thread(target=self._run, args=(begin, ended), name="model call", daemon=True).start()

    def next(self, timeout_s: float) -> Piece | None:
        """The next piece, None at the end; raises TimeoutError, and whatever the stream raised."""
        try:
            arrived = self._arrived.get(timeout=max(timeout_s, 0))
        except Empty:
            raise TimeoutError from None
        if isinstance(arrived, BaseException):
            raise arrived
        return arrived

    def leave(self) -> None:
        """Want no more of it."""
        self._left.set()

    def _run(self, begin: Callable[[], Iterator[Piece]], ended: Callable[[], None]) -> None:
        last: BaseException | None = None
        try:
            self._read(begin())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            last = error
        ended()
        self._arrived.put(last)

    def _read(self, stream: Iterator[Piece]) -> None:
        try:
            for piece in stream:
                if self._left.is_set():
                    return
                self._arrived.put(piece)
        finally:
            if isinstance(stream, Generator):
                stream.close()
