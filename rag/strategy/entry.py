"""What one model of several came to."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from rag.draft import Draft, Drafter, Task
from rag.errors import ModelError
from rag.events import Progress
from rag.strategy.metered import Metered
from rag.types import Attempt, Claim, Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model with its draft, or with the error that kept it from one, and its calls in either case."""

    model: str
    calls: tuple[Generation, ...]
    draft: Draft | None = None
    error: ModelError | None = None

    @property
    def lost(self) -> tuple[Attempt, ...]:
        """The attempts that came to no call."""
        failed = tuple(each for each in self.error.attempts if isinstance(each, Attempt)) if self.error else ()
        return (*failed, *(self.draft.lost if self.draft else ()))

    @property
    def is_answer(self) -> bool:
        """Whether there is something to show."""
        return self.draft is not None and not self.draft.abstention

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The checked claims of its draft."""
        return self.draft.checked.verdict.claims if self.draft else ()

    @property
    def supported_share(self) -> float:
        """Supported claims over all claims, 0 to 1; 0 without claims."""
        return (self.draft.checked.verdict.supported_share or 0.0) if self.draft else 0.0

    @property
    def score(self) -> float:
        """The mean score of its claims, 0 to 1; 0 without claims."""
        return sum(claim.score for claim in self.claims) / len(self.claims) if self.claims else 0.0

    @property
    def told(self) -> str:
        """What came of it, for people."""
        if self.error is not None:
            return self.error.seen
        if not self.claims:
            return f"{self.model} finds no answer in the passages"
        if self.draft and self.draft.abstention == "beside":
            return f"{self.model} does not see the question answered by what its answer rests on"
        supported = sum(claim.support == "supported" for claim in self.claims)
        return f"{supported} of {len(self.claims)} claims of {self.model} are supported"


def enter(drafter: Drafter, task: Task, llm: Metered) -> Generator[Progress, None, Entry]:
    """Let a model draft. Its failure is its entry."""
    try:
        draft = yield from drafter.draft_beside(task, llm)
    except ModelError as error:
        return Entry(model=llm.name, calls=llm.calls, error=error)
    return Entry(model=llm.name, calls=llm.calls, draft=draft)
