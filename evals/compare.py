"""Two runs of the same cases: by how much they differ, whether that is chance, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evals.changes import changes
from evals.flips import Flip, flips
from evals.gains import gains, weighted
from evals.intervals import bootstrap, mean
from evals.metrics import Metric, Unit
from evals.pairs import Pairs, Scored, Why, comparable, pair_up, scored
from evals.records import Run
from evals.significance import SAME, Name, against_chance, holm
from evals.sizes import Spread, spread
from evals.where import Place, places


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A metric on both sides, and second minus first with its 95 % interval.

    `cases` in `conversations` that are independent of each other; on `better` and `worse` of them the second side is
    so, whichever direction is good. `p` is that of 'there is no difference', `p_holm` is corrected for all metrics.
    """

    metric: str
    label: str
    unit: Unit
    low_is_good: bool
    cases: int
    conversations: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    better: int
    worse: int
    test: Name
    p: float
    spread: Spread
    p_holm: float = 1.0

    @property
    def gain(self) -> float:
        """The difference, positive where the second side is better."""
        return -self.difference if self.low_is_good else self.difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What tells one of two runs."""

    run_id: str
    started: str
    dataset: str
    dataset_sha256: str
    config_hash: str
    cases: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that two runs tell about each other.

    `changes` tell what is not the same in both, `left_out` are ids of cases by why they are not compared.
    """

    first: Side
    second: Side
    changes: tuple[str, ...]
    cases: int
    metrics: tuple[Compared, ...]
    flips: tuple[Flip, ...]
    places: tuple[Place, ...]
    left_out: Mapping[Why, tuple[str, ...]]
    notes: tuple[str, ...]


def compare(first: Run, second: Run) -> Comparison:
    """Every metric that both runs have, over the cases that both asked. Raises InputError when there is none."""
    pairs = pair_up(first, second)
    metrics, notes = comparable(pairs)
    found = [compared(metric, scored(pairs, metric.name)) for metric in metrics if scored(pairs, metric.name)]
    corrected = holm([one.p if one.better + one.worse else None for one in found])
    return Comparison(
        first=_side(first),
        second=_side(second),
        changes=changes(first, second),
        cases=len(pairs.pairs),
        metrics=tuple(replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)),
        flips=flips(pairs, metrics),
        places=places(pairs, metrics),
        left_out=pairs.left_out,
        notes=(*said(pairs), *notes),
    )


def turned(first: Run, second: Run) -> tuple[Flip, ...]:
    """The cases that turned, without the rest of a comparison."""
    pairs = pair_up(first, second)
    return flips(pairs, comparable(pairs)[0])


def compared(metric: Metric, cases: Sequence[Scored]) -> Compared:
    """One metric over at least one case; repetitions of a case are averaged first."""
    values = [one.difference for one in cases]
    of = gains(metric, cases)
    found, sign = against_chance(of.sums), -1 if metric.low_is_good else 1
    low, high = bootstrap(of if sign > 0 else of.negative)
    return Compared(
        metric=metric.name,
        label=metric.label,
        unit=metric.unit,
        low_is_good=metric.low_is_good,
        cases=len(cases),
        conversations=of.clusters,
        first=weighted([one.means[0] for one in cases], cases),
        second=weighted([one.means[1] for one in cases], cases),
        difference=float(mean(of)) * sign,
        low=low,
        high=high,
        better=sum(sign * value > SAME for value in values),
        worse=sum(sign * value < -SAME for value in values),
        test=found.test,
        p=found.p,
        spread=spread(values, [(one.first, one.second) for one in cases]),
    )


def _side(run: Run) -> Side:
    return Side(
        run_id=run.id,
        started=run.started,
        dataset=run.dataset.name,
        dataset_sha256=run.dataset.sha256,
        config_hash=run.config_hash,
        cases=len(run.cases),
        failed=sum(record.error is not None for record in run.records),
    )


def said(pairs: Pairs) -> list[str]:
    """What makes the runs less alike than they may seem."""
    first, second = pairs.first, pairs.second
    told = []
    if first.id == second.id:
        told.append("both are the same run")
    if first.dataset.sha256 != second.dataset.sha256:
        told.append(
            f"the datasets are two versions ({first.dataset.sha256[:12]}, {second.dataset.sha256[:12]}): only cases"
            " with the same id and content are compared"
        )
    for name, run in (("first", first), ("second", second)):
        if failed := sum(record.error is not None for record in run.records):
            told.append(
                f"{failed} of {len(run.records)} questions failed in the {name} run: they count as wrong and not"
                " declined, and are left out of what they can't tell"
            )
        if asked := missing(run):
            told.append(
                f"the {name} run ended early: {asked} of {len(run.cases) * run.repeat} questions were not asked"
            )
    return told


def missing(run: Run) -> int:
    """How many questions of a run were not asked: cases, as often as each was to be."""
    return len(run.cases) * run.repeat - len(run.records)
