"""The cheap model answers; where the check or the model itself says no, the next and stronger one does."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from rag.draft import Draft, Drafter, Task
from rag.events import Progress
from rag.llm import Candidate, Restart
from rag.strategy.choose import Contender, choose
from rag.strategy.entry import Entry, enter
from rag.strategy.metered import Metered


class Cascade:
    """Lets candidates draft one after the other, until a draft is good enough.

    Chen, Zaharia and Zou, FrugalGPT (2023), with the check of claims in the place of a trained scorer.
    """

    def __init__(self, drafter: Drafter, candidates: Sequence[Candidate], *, accept_at: float) -> None:
        """The cheapest candidate first; `accept_at` is the share of supported claims that is enough, 0 to 1."""
        self._drafter = drafter
        self._candidates = tuple(candidates)
        self._accept_at = accept_at

    def draft(self, task: Task) -> Generator[Progress, None, Draft]:
        """Each draft while it is written, a Restart between two; then the first that is good enough, else the best.

        Raises ModelError when all candidates fail.
        """
        entries: list[Entry] = []
        for candidate in self._candidates:
            if entries:
                yield Restart(reason=entries[-1].told)
            entries.append((yield from enter(self._drafter, task, Metered(candidate.paid_by(task.asked.purse)))))
            if self._is_enough(entries[-1]) or not task.passages:
                break
        return choose(task.asked.recorder, "cascade", [_contender(entry, place) for place, entry in enumerate(entries)])

    def _is_enough(self, entry: Entry) -> bool:
        return entry.is_answer and entry.supported_share >= self._accept_at


def _contender(entry: Entry, place: int) -> Contender:
    """Of two that are equally supported, the later is of the stronger model."""
    merits = {"is_answer": entry.is_answer, "supported_share": entry.supported_share, "place": place}
    return Contender(entry=entry, merits=merits)
