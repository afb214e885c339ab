"""A model whose calls are counted, whatever becomes of its draft, and that can be left."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing

from rag.errors import ModelError
from rag.llm import Candidate, Piece
from rag.llm.protocol import Sampling
from rag.types import Generation, Message


class Metered:
    """A candidate for one task. One thread may leave it while another reads its stream."""

    def __init__(self, candidate: Candidate) -> None:
        """Nothing is asked yet."""
        self._candidate = candidate
        self._calls: list[Generation] = []
        self._left = threading.Event()

    @property
    def name(self) -> str:
        """'provider:model'."""
        return self._candidate.name

    @property
    def calls(self) -> tuple[Generation, ...]:
        """The calls so far that came to an end, those before a failure too."""
        return tuple(self._calls)

    def leave(self) -> None:
        """Want no more of it: its stream is closed with the next piece, and no other begins."""
        self._left.set()

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Generator[Piece, None, None]:
        """As the candidate does it. Raises ModelError, also when it was left."""
        self._check()
        with closing(self._candidate.stream(messages, sampling)) as pieces:
            for piece in pieces:
                self._check()
                if isinstance(piece, Generation):
                    self._calls.append(piece)
                yield piece

    def _check(self) -> None:
        if self._left.is_set():
            raise ModelError(f"{self.name} was left, as nobody waits for the answer any more")
