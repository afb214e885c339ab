"""A question with all that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.budget.purse import Purse
from rag.observe.record import Recorder
from rag.types import Scope, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, what was said before, who asks; where its steps are noted, and what pays its calls, if anything."""

    recorder: Recorder
    question: str
    history: Sequence[Turn]
    scope: Scope
    purse: Purse | None = None
