"""A question with all that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.budget.purse import Purse
from rag.observe.record import Recorder
from rag.types import PUBLIC, Scope, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, what was said before, who asks; where its steps are noted, and what pays its calls, if anything."""

    recorder: Recorder
    question: str
    history: Sequence[Turn]
    scope: Scope
    purse: Purse | None = None
    session_id: str = ""
    tags: tuple[str, ...] = ()

    @property
    def session(self) -> str:
        """What this question has in common with those of the same conversation, else with those of the same person."""
        return self.session_id or self.scope.user or self.recorder.trace_id

    @property
    def history_readers(self) -> tuple[tuple[str, ...], ...]:
        """Who may read what was said before, each list of readers once.

        Where nobody knows what an earlier answer rests on, it is for whoever asks now alone.
        """
        unknown: tuple[tuple[str, ...], ...] = ((),) if self.scope.readers != PUBLIC.readers else ()
        known = (unknown if turn.readers is None else turn.readers for turn in self.history)
        return tuple(dict.fromkeys(each for some in known for each in some))
