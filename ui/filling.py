"""A run that fills the index while the page goes on: in a thread, so that no click ends it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.pipeline import ingest
from ingest.progress import Document, Progress, Report, Started, Waiting
from rag.errors import PlumbError
from rag.settings import Settings

UNEXPECTED = "Something went wrong that should not have. The server's log has the details."

log = logging.getLogger("plumbline")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far a run is. `began` is when its documents were counted, in seconds of a monotonic clock.

    `waits_s` is the longest wait for another run, while it waits; `problem` says why it failed, `report` is its end.
    """

    documents: int
    began: float
    done: tuple[Document, ...] = ()
    waits_s: float | None = None
    report: Report | None = None
    problem: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return bool(self.report or self.problem)

    def left_s(self, now: float) -> float | None:
        """How long it goes on, if the documents to come take as long as those before; None before the first."""
        if not self.done:
            return None
        return (now - self.began) / len(self.done) * max(self.documents - len(self.done), 0)


class Filling:
    """One run; `state` is how far it is now."""

    def __init__(self, paths: Sequence[Path], settings: Settings) -> None:
        """Begin at once."""
        self.state = State(documents=len(paths), began=time.monotonic())
        threading.Thread(target=self._run, args=(paths, settings), name="plumb-upload", daemon=True).start()

    def _run(self, paths: Sequence[Path], settings: Settings) -> None:
        try:
            for event in ingest(paths, settings=settings):
                self.state = _after(self.state, event)
        except PlumbError as error:
            self.state = replace(self.state, problem=str(error))
        except Exception:
            log.exception("an upload failed")
            self.state = replace(self.state, problem=UNEXPECTED)


def _after(state: State, event: Progress) -> State:
    match event:
        case Started(documents=documents):
            return replace(state, documents=documents, began=time.monotonic())
        case Waiting(at_most_s=seconds):
            return replace(state, waits_s=seconds)
        case Document():
            # The wait for others is no measure of what is to come.
            began = time.monotonic() if state.waits_s and not state.done else state.began
            return replace(state, done=(*state.done, event), waits_s=None, began=began)
        case Report():
            return replace(state, report=event, waits_s=None)
