"""The public door of the parsers in a process of its own, which may hang or crash."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

End = Literal["parsed", "refused", "raised", "crashed", "hung"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a document ended; `text` is all of it, or why it was not read."""

    end: End
    text: str
    seconds: float


class Door:
    """One process that parses document after document; one that hangs is ended and replaced."""

    def __init__(self, *, timeout_s: float) -> None:
        """`timeout_s` bounds each document."""
        self.timeout_s = timeout_s
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._stop()

    def parse(self, file: Path) -> Outcome:
        """What becomes of the file."""
        connection = self._started()
        began = time.perf_counter()
        connection.send(file)
        try:
            if connection.poll(self.timeout_s):
                end, text = connection.recv()
                return Outcome(end=end, text=text, seconds=time.perf_counter() - began)
        except (EOFError, ConnectionError):
            self._stop()
            return Outcome(end="crashed", text="the process ended", seconds=time.perf_counter() - began)
        self._stop()
        return Outcome(end="hung", text=f"no end after {self.timeout_s:g} s", seconds=time.perf_counter() - began)

    def _started(self) -> Connection:
        if self._connection is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
            # Imports are no part of the first document's time.
            self._connection.recv()
        return self._connection

    def _stop(self) -> None:
        if self._process and self._connection:
            self._connection.close()
            self._process.kill()
            self._process.join()
        self._process = self._connection = None


def _serve(connection: Connection) -> None:
    from ingest.parse import parse  # noqa: F401

    connection.send("ready")
    while True:
        try:
            file = connection.recv()
        except EOFError:
            return
        connection.send(_parsed(file))


def _parsed(file: Path) -> tuple[End, str]:
    from ingest.parse import Options, parse
    from rag.errors import DocumentError
    from rag.sections import Ingest

    try:
        document = parse(file, file.read_bytes(), options=Options.from_settings(Ingest()))
        return "parsed", "\n".join((document.title, *(element.text for element in document.elements)))
    except DocumentError as error:
        return "refused", error.seen.removeprefix(file.name).removeprefix(": ").strip()
    except Exception as error:  # noqa: BLE001 - anything but a DocumentError is what this looks for
        return "raised", f"{type(error).__name__}: {error}"
