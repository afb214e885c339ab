"""Documents into messages, several at once: one thread a parsing process."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

from ingest.isolate.messages import Setup
from ingest.isolate.process import ParsingProcess

Item = TypeVar("Item")
Message = TypeVar("Message")
# Messages that wait to be taken: enough to go on parsing while a group of chunks is embedded, even where each document
# is one chunk. A message holds 64 chunks at most.
_WAITING = 512


class Feed(Generic[Item, Message]):
    """Runs `work` over the items in `threads` threads and yields what they give, in no particular order."""

    def __init__(
        self,
        items: Iterable[Item],
        work: Callable[[Item, ParsingProcess], Iterator[Message]],
        *,
        setup: Setup,
        threads: int,
    ) -> None:
        """Nothing is started before the first message is asked for."""
        self._items = iter(items)
        self._work = work
        self._processes = [ParsingProcess(setup) for _ in range(threads)]
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._messages: queue.Queue[Message | BaseException | None] = queue.Queue(_WAITING)

    def messages(self) -> Generator[Message, None, None]:
        """What the work gives; an error in a thread is raised here. Leaving early ends the processes."""
        workers = [threading.Thread(target=self._run, args=[process], daemon=True) for process in self._processes]
        for worker in workers:
            worker.start()
        running = len(workers)
        try:
            while running:
                match self._messages.get():
                    case None:
                        running -= 1
                    case BaseException() as error:
                        raise error
                    case message:
                        yield message
        finally:
            self._stopped.set()
            for process, worker in zip(self._processes, workers, strict=True):
                process.kill()  # a thread may be waiting for it
                worker.join()

    def _run(self, process: ParsingProcess) -> None:
        try:
            while (item := self._next()) is not None:
                for message in self._work(item, process):
                    if not self._put(message):
                        return
        except BaseException as error:  # noqa: BLE001 - raised again where the messages are read
            self._put(error)
        finally:
            process.close()
            self._put(None)

    def _next(self) -> Item | None:
        with self._turn:
            return None if self._stopped.is_set() else next(self._items, None)

    def _put(self, message: Message | BaseException | None) -> bool:
        """Wait for room; False when nobody takes messages any more."""
        while not self._stopped.is_set():
            try:
                self._messages.put(message, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
