"""The right to fill an index: one run at a time, across processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import StoreError


class Turn:
    """A lock file beside the index. A process that dies lets go of it."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is locked yet."""
        self._path = path
        self._lock = FileLock(path)

    def is_free(self) -> bool:
        """Whether nobody fills the index at this moment."""
        try:
            with self._acquired(0):
                return True
        except Timeout:
            return False

    @contextmanager
    def taken(self, *, wait_s: float) -> Iterator[None]:
        """Hold the turn for the block; raises StoreError when another run holds it for longer than `wait_s`."""
        try:
            with self._acquired(wait_s):
                yield
        except Timeout:
            raise StoreError(
                "another run fills this index",
                expected=f"its end within ingest.wait_s = {wait_s:g}",
                remedy="try again when it is done, or raise the setting",
            ) from None

    @contextmanager
    def _acquired(self, timeout_s: float) -> Iterator[None]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            held = self._lock.acquire(timeout=timeout_s)
        except Timeout:
            raise
        except OSError as error:
            raise StoreError(
                f"can't use {self._path}: {error.strerror}",
                expected="a writable folder",
                remedy="check the disk and its rights",
            ) from None
        with held:
            yield
