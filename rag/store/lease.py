"""Turns at a folder that only one process may have open at a time.

A process keeps the folder open between its calls, since opening costs tens of milliseconds, and hands it over as soon
as another one waits: a chat page, an ingest and a search share one index, and none of them starves.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakSet

from filelock import FileLock, Timeout

from rag.errors import StoreError

IDLE_S = 30.0  # an unused folder is closed after so long: an ingest comes back to it every few seconds
LOOK_S = 0.05  # how often a holder looks whether another process waits


class Lease:
    """What `opened` gives, kept open under a file lock; the threads of this process use it one at a time.

    Two locks: whoever holds `<folder>.lock` has the folder open, whoever waits for it holds `<folder>.next`. So a
    holder sees that it is awaited by failing to take the second.
    """

    def __init__(self, folder: Path, opened: Callable[[], Any], *, timeout_s: float) -> None:
        """`opened` opens the folder, and is called with the lock held; its result has a `close()`."""
        self._folder = folder
        self._opened = opened
        self._timeout_s = timeout_s
        self._begin()
        _leases.add(self)

    def _begin(self) -> None:
        self._process = os.getpid()
        # Taken by the thread that works, let go by the one that watches.
        self._lock = FileLock(f"{self._folder}.lock", thread_local=False)
        self._next = FileLock(f"{self._folder}.next", thread_local=False)
        self._mine = threading.RLock()
        self._resource: Any = None
        self._used_at = 0.0

    @contextmanager
    def turn(self) -> Iterator[Any]:
        """The open resource, this thread's alone until the end of the block. Raises StoreError when none came in time.

        An error inside the block closes the folder, so that the next turn starts from what is on disk.
        """
        self._begin_anew_if_forked()
        with self._mine:
            resource = self._taken()
            try:
                yield resource
            except BaseException:
                self._let_go()
                raise
            self._used_at = time.monotonic()
            self._let_go(unless_alone=True)

    def close(self) -> None:
        """Let go of the folder now."""
        self._begin_anew_if_forked()
        with self._mine:
            self._let_go()

    def _begin_anew_if_forked(self) -> None:
        if self._process != os.getpid():
            self._begin()

    def _taken(self) -> Any:
        if self._resource is None:
            self._wait_for_lock()
            try:
                self._resource = self._opened()
            except BaseException:
                self._lock.release()
                raise
            watch = threading.Thread(target=self._watch, args=[self._resource], daemon=True, name="plumbline-lease")
            watch.start()
        return self._resource

    def _wait_for_lock(self) -> None:
        deadline = time.monotonic() + self._timeout_s
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._next.acquire(timeout=self._timeout_s):
                self._lock.acquire(timeout=max(deadline - time.monotonic(), 0))
        except Timeout:
            raise StoreError(
                f"the index {self._folder} is in use by another process",
                expected=f"a turn within store.timeout_s = {self._timeout_s:g} s",
                remedy="try again when it is done, or raise the setting",
            ) from None

    def _watch(self, resource: Any) -> None:
        """Let go of the folder when it is idle or awaited, and end with that."""
        while self._resource is resource:
            time.sleep(LOOK_S)
            with self._mine:
                idle = time.monotonic() - self._used_at > IDLE_S
                self._let_go(unless_alone=not idle)

    def _let_go(self, *, unless_alone: bool = False) -> None:
        if self._resource is None or (unless_alone and not self._is_awaited()):
            return
        resource, self._resource = self._resource, None
        try:
            resource.close()
        finally:
            self._lock.release()

    def _is_awaited(self) -> bool:
        try:
            with self._next.acquire(timeout=0):
                return False
        except Timeout:
            return True


def _let_go_before_fork() -> None:
    # A forked process would inherit the engine's own locks and keep them for as long as it lives.
    for lease in list(_leases):
        lease.close()


_leases: WeakSet[Lease] = WeakSet()
os.register_at_fork(before=_let_go_before_fork)
