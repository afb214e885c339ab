"""Several models answer from the same passages; the best supported answer wins."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue

from rag.draft import Draft, Drafter, Task
from rag.events import Progress, Stage
from rag.llm import Candidate
from rag.strategy.choose import Contender, choose
from rag.strategy.entry import Entry, enter
from rag.strategy.metered import Metered
from rag.wording import Terms

# As often whoever waits hears that work goes on, and can leave.
BEAT_S = 1.0
LOCAL = "local:"


class Vote:
    """Lets all candidates draft and chooses between the drafts; nothing is shown before."""

    def __init__(self, drafter: Drafter, candidates: Sequence[Candidate]) -> None:
        """At least two candidates; of two that are alike in everything, the earlier wins."""
        self._drafter = drafter
        self._candidates = tuple(candidates)

    def draft(self, task: Task) -> Generator[Progress, None, Draft]:
        """Signs of life, then the best draft. Raises ModelError when all candidates fail."""
        models = [Metered(candidate.paid_by(task.asked.purse)) for candidate in self._candidates]
        arrived: SimpleQueue[Entry | BaseException] = SimpleQueue()
        try:
            for lane in _lanes(models):
                threading.Thread(target=self._fill, args=(arrived, task, lane), name="vote", daemon=True).start()
            entries = yield from _awaited(arrived, len(models))
        finally:
            for model in models:
                model.leave()
        names = [model.name for model in models]
        entries.sort(key=lambda entry: names.index(entry.model))
        return replace(
            choose(task.asked.recorder, "vote", _contenders(entries, task.terms)),
            first_token_ms=task.asked.recorder.elapsed_ms(),
        )

    def _fill(self, arrived: SimpleQueue[Entry | BaseException], task: Task, lane: Sequence[Metered]) -> None:
        try:
            for model in lane:
                arrived.put(_ended(enter(self._drafter, task, model)))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            arrived.put(error)


def _lanes(models: Sequence[Metered]) -> list[list[Metered]]:
    """Who answers at once: local models share the processor, so they answer one after the other."""
    local = [model for model in models if model.name.startswith(LOCAL)]
    others = [[model] for model in models if not model.name.startswith(LOCAL)]
    return [local, *others] if local else others


def _awaited(arrived: SimpleQueue[Entry | BaseException], count: int) -> Generator[Progress, None, list[Entry]]:
    entries: list[Entry] = []
    yield Stage(name="vote")
    while len(entries) < count:
        try:
            entry = arrived.get(timeout=BEAT_S)
        except Empty:
            yield Stage(name="vote")
            continue
        if isinstance(entry, BaseException):
            raise entry
        entries.append(entry)
    return entries


def _ended(drafting: Generator[Progress, None, Entry]) -> Entry:
    """What a generator returns, its events unseen."""
    while True:
        try:
            next(drafting)
        except StopIteration as end:
            entry: Entry = end.value
            return entry


def _contenders(entries: Sequence[Entry], terms: Terms) -> list[Contender]:
    said = [terms(entry.draft.checked.text) if entry.draft and entry.is_answer else frozenset() for entry in entries]
    return [
        Contender(
            entry=entry,
            merits={
                "is_answer": entry.is_answer,
                "supported_share": entry.supported_share,
                "score": round(entry.score, 3),
                "agreement": _agreement(said[place], [*said[:place], *said[place + 1 :]]),
                "place": -place,
            },
        )
        for place, entry in enumerate(entries)
    ]


def _agreement(own: frozenset[int], others: Sequence[frozenset[int]]) -> float:
    """The mean share of content words that a text has in common with each of the others, 0 to 1 (Jaccard)."""
    shares = [len(own & other) / len(own | other) for other in others if own and other]
    return round(sum(shares) / len(others), 3) if others else 0.0
