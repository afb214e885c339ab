"""Where a difference comes from: by tag, language, expected source and model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evals.gains import gains, weighted
from evals.metrics import Metric, Unit
from evals.pairs import Pair, Pairs, Scored, scored
from evals.records import Record
from evals.significance import SAME, against_chance, holm

Kind = Literal["tag", "language", "source", "model"]
UNTOLD = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A metric over the cases that have something in common; the figures are those of a comparison.

    `p_holm` is corrected for all places where the metric changed. A case of several tags or sources is in several.
    """

    kind: Kind
    name: str
    metric: str
    label: str
    unit: Unit
    cases: int
    first: float
    second: float
    better: int
    worse: int
    p_holm: float

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.second - self.first


def places(pairs: Pairs, metrics: Sequence[Metric]) -> tuple[Place, ...]:
    """Every place where a metric changed, metric by metric, those that lost the largest share first."""
    from rag.language import language_of

    spoken = {pair.case.id: language_of(pair.case.question, otherwise=UNTOLD) for pair in pairs.pairs}
    return tuple(place for metric in metrics for place in _of(metric, scored(pairs, metric.name), spoken))


def _of(metric: Metric, cases: Sequence[Scored], spoken: Mapping[str, str]) -> list[Place]:
    groups: dict[tuple[Kind, str], list[Scored]] = {}
    for one in cases:
        for key in _keys(one.pair, spoken):
            groups.setdefault(key, []).append(one)
    changed = [(key, group) for key, group in groups.items() if any(abs(one.difference) > SAME for one in group)]
    found = [_place(metric, key, group) for key, group in changed]
    corrected = holm([place.p_holm for place in found])
    told = [replace(place, p_holm=p) for place, p in zip(found, corrected, strict=True)]
    return sorted(told, key=lambda place: ((place.better - place.worse) / place.cases, place.kind, place.name))


def _place(metric: Metric, key: tuple[Kind, str], cases: Sequence[Scored]) -> Place:
    own = [-one.difference if metric.low_is_good else one.difference for one in cases]
    return Place(
        kind=key[0],
        name=key[1],
        metric=metric.name,
        label=metric.label,
        unit=metric.unit,
        cases=len(cases),
        first=weighted([one.means[0] for one in cases], cases),
        second=weighted([one.means[1] for one in cases], cases),
        better=sum(value > SAME for value in own),
        worse=sum(value < -SAME for value in own),
        p_holm=against_chance(gains(metric, cases).sums).p,
    )


def _keys(pair: Pair, spoken: Mapping[str, str]) -> Iterator[tuple[Kind, str]]:
    yield from (("tag", tag) for tag in dict.fromkeys(pair.case.tags))
    yield ("language", spoken[pair.case.id])
    yield from (("source", source) for source in dict.fromkeys(pair.case.sources))
    ours, theirs = _model(pair.first), _model(pair.second)
    yield ("model", ours if ours == theirs else f"{ours} -> {theirs}")


def _model(records: Sequence[Record]) -> str:
    """The models that answered, in the order of their names."""
    named = {record.answer.models.get("answer", UNTOLD) for record in records if record.answer}
    return ", ".join(sorted(named)) or "failed"
