"""The first model that does not fail answers: the strategy of a chain."""

from __future__ import annotations

from collections.abc import Generator

from rag.draft import Draft, Drafter, Task
from rag.events import Progress
from rag.llm import LLM, pinned


class First:
    """Lets one model answer."""

    def __init__(self, drafter: Drafter, llm: LLM) -> None:
        """`llm` may be a chain."""
        self._drafter = drafter
        self._llm = llm

    def draft(self, task: Task) -> Generator[Progress, None, Draft]:
        """The draft of the first that does not fail. Raises ModelError when all fail."""
        return (yield from self._drafter.draft(task, pinned(self._llm, task.asked.purse)))
