"""The last step of a strategy: the draft with the greatest merits, and the trace of why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rag.draft import Draft
from rag.errors import ModelError
from rag.llm.chain import none_answered
from rag.llm.price import total
from rag.observe.record import Recorder
from rag.strategy.entry import Entry
from rag.types import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """An entry with what speaks for it: figures by name, the most important first, the higher the better."""

    entry: Entry
    merits: Mapping[str, float]

    @property
    def rank(self) -> tuple[float, ...]:
        """The figures alone, which compare."""
        return tuple(self.merits.values())


def choose(recorder: Recorder, strategy: str, contenders: Sequence[Contender]) -> Draft:
    """The best draft, with the calls of all contenders. Raises ModelError where every model failed."""
    with recorder.step("choose", "evaluator") as step:
        step.note({"strategy": strategy, "drafts": [_facts(contender) for contender in contenders]})
        drafted = [contender for contender in contenders if contender.entry.draft]
        ranked = sorted(drafted, key=lambda contender: contender.rank, reverse=True)
        if not ranked or (best := ranked[0].entry.draft) is None:
            raise none_answered([each.entry.error for each in contenders if isinstance(each.entry.error, ModelError)])
        step.note({"model": ranked[0].entry.model, "decided_by": _decided_by(ranked)})
    entries = [contender.entry for contender in contenders]
    return replace(
        best,
        calls=tuple(call for entry in entries for call in entry.calls),
        lost=tuple(attempt for entry in entries for attempt in entry.lost),
        opinions=tuple(call for entry in entries if entry.draft for call in entry.draft.opinions),
    )


def _facts(contender: Contender) -> dict[str, Any]:
    entry = contender.entry
    usage = sum((call.usage for call in entry.calls), Usage())
    return {
        "model": entry.model,
        "told": entry.told,
        **contender.merits,
        "calls": len(entry.calls),
        "usage": asdict(usage),
        "cost": total([*(call.cost for call in entry.calls), *(attempt.cost for attempt in entry.lost)]),
    }


def _decided_by(ranked: Sequence[Contender]) -> str:
    """The first figure in which the best stands above the next."""
    if len(ranked) == 1:
        return "no other draft"
    best, second = ranked[0].merits, ranked[1].merits
    return next(name for name in best if best[name] != second[name])
