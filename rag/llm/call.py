"""One call of a model that can be left while it is silent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from queue import Empty, SimpleQueue

from rag.errors import ModelError
from rag.llm.protocol import Piece, Stoppable


class Call:
    """A stream that a thread of its own reads, so that whoever waits for it can stop waiting.

    Once left, its stream is closed by that thread: with the next byte of a Stoppable one, the next piece of another, or
    when its client gives up on a silent server. No client can be interrupted while it waits for bytes.
    """

    def __init__(self, begin: Callable[[], Iterator[Piece]], *, ended: Callable[[], None]) -> None:
        """Begin; `ended` is called once, when the stream is closed. Raises ModelError when no thread can be had."""
        self._arrived: SimpleQueue[Piece | BaseException | None] = SimpleQueue()
        self._left = threading.Event()
        self._stoppable: Stoppable | None = None
        try:
            threading.Thread(target=self._run, args=(begin, ended), name="model call", daemon=True).start()
        except RuntimeError as error:
            ended()
            raise _no_thread(error) from None

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
        if self._stoppable is not None:
            self._stoppable.stop()

    def _run(self, begin: Callable[[], Iterator[Piece]], ended: Callable[[], None]) -> None:
        last: BaseException | None = None
        try:
            self._read(begin())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            last = error
        ended()
        self._arrived.put(last)

    def _read(self, stream: Iterator[Piece]) -> None:
        self._stoppable = stream if isinstance(stream, Stoppable) else None
        try:
            # Left before there was a stream to stop.
            if self._left.is_set():
                return
            for piece in stream:
                if self._left.is_set():
                    return
                self._arrived.put(piece)
        finally:
            if isinstance(stream, Generator | Stoppable):
                stream.close()


def _no_thread(error: RuntimeError) -> ModelError:
    return ModelError(
        f"no thread could be started to read the answer: {error}",
        expected="one for each call",
        remedy="ask fewer questions at once, or let this process have more threads",
        retryable=True,
    )
