"""What every strategy does."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from rag.draft import Draft, Task
from rag.events import Progress


class Strategy(Protocol):
    """A way from a task to one draft. Safe to share between threads."""

    def draft(self, task: Task) -> Generator[Progress, None, Draft]:
        """What happens on the way, then the draft, with the calls of all models. Raises ModelError."""
