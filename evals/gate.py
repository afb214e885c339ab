"""Whether a run may take the place of its baseline: pass, fail, or not enough to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from evals.compare import missing, said
from evals.intervals import ALPHA
from evals.metrics import METRICS, Metric
from evals.pairs import Pairs, comparable, confirmed, pair_up, scored
from evals.records import Run
from evals.ruling import FAIL_AT, Asked, Ruling, Verdict, can_pass, rule
from evals.significance import SAME
from evals.words import needed, told, too_few
from rag.errors import ConfigError
from rag.sections import Gate
from rag.terminal import number_of

# What a run is held to where [gate] names nothing: each as far as its dataset has cases enough.
USUAL = ("correct", "declined_unanswerable", "recall_at_5", "supported", "failed")
# What tells a right answer, and besides where no case has facts: the grade of a judge, if there is one, or the words.
JUDGED, SAID, DECLINED = "judged", "expected_said", "declined_answerable"
RIGHT = ("correct", "facts_said", "exact", "f1", "similarity", JUDGED, SAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gate says of a run, with all it rests on. `at` is UTC in ISO 8601.

    `reasons` tell in words why the verdict is not 'pass'; `notes` what limits the comparison. `left_out` counts cases
    by why they do not count, `rule` is the table [gate] as it was. `alpha` bounds both errors: to fail a run that is
    not worse, and to pass one that lost the margin; `fail_at` is the level of the test of a loss. `lost` are the cases
    that got worse in any of the metrics, by id, whatever the verdict.
    """

    verdict: Verdict
    at: str
    baseline: str
    baseline_run: str
    baseline_dataset_sha256: str
    run: str
    dataset: str
    dataset_sha256: str
    config_hash: str
    code_version: str
    cases: int
    left_out: Mapping[str, int]
    rulings: tuple[Ruling, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    rule: Mapping[str, Any]
    alpha: float = ALPHA
    fail_at: float = FAIL_AT
    lost: tuple[str, ...] = ()
    format: int = 1


def decide(baseline: Run, run: Run, gate: Gate, *, name: str) -> Decision:
    """Hold a run against the baseline that is called `name`.

    Raises InputError where no confirmed case is comparable, ConfigError for a metric that does not exist.
    """
    pairs = confirmed(pair_up(baseline, run))
    metrics, notes = comparable(pairs)
    asked = _asked(pairs, metrics, gate)
    rulings = rule(asked)
    verdict, reasons = _together(rulings, run)
    return Decision(
        verdict=verdict,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        baseline=name,
        baseline_run=baseline.id,
        baseline_dataset_sha256=baseline.dataset.sha256,
        run=run.id,
        dataset=run.dataset.name,
        dataset_sha256=run.dataset.sha256,
        config_hash=run.config_hash,
        code_version=run.code_version,
        cases=len(pairs.pairs),
        left_out={why: len(ids) for why, ids in pairs.left_out.items()},
        rulings=tuple(rulings),
        reasons=tuple(reasons),
        lost=_lost(asked),
        notes=(*said(pairs), *notes, *_blind(rulings)),
        rule=gate.model_dump(mode="json"),
    )


def _asked(pairs: Pairs, metrics: Sequence[Metric], gate: Gate) -> list[Asked]:
    """The metrics that settings name, all required; without any the usual ones, those with cases enough."""
    named = dict.fromkeys((*gate.metrics, *gate.margins, *gate.floors))
    wanted = [_known(one) for one in dict.fromkeys((*(gate.metrics or _usual(pairs, metrics)), *named))]
    asked = [
        Asked(
            metric=metric,
            cases=scored(pairs, metric.name) if metric in metrics else (),
            margin=gate.margins.get(metric.name, gate.margin),
            floor=gate.floors.get(metric.name),
        )
        for metric in wanted
    ]
    return [
        replace(one, is_required=one.metric.name in named or can_pass(one))
        for one in asked
        if one.cases or one.metric.name in named
    ]


def _usual(pairs: Pairs, metrics: Sequence[Metric]) -> tuple[str, ...]:
    """The usual metrics, and what holds the answers of cases without facts to something."""
    without = [pair.case for pair in pairs.pairs if pair.case.answerable and not pair.case.facts]
    by_judge = any(metric.name == JUDGED for metric in metrics)
    words = (JUDGED if by_judge else SAID,) if any(case.expected for case in without) else ()
    return (*USUAL, *words, *((DECLINED,) if any(not case.expected for case in without) else ()))


def _blind(rulings: Sequence[Ruling]) -> list[str]:
    """What is to be said where no gated metric knows a right answer from a wrong one."""
    knowing = [one for one in rulings if one.metric in RIGHT]
    if any(one.is_required for one in knowing):
        return []
    if knowing:
        few = ", ".join(f"'{one.label}' {one.cases}" for one in knowing)
        return [f"what knows right from wrong has too few cases to pass: {few}; add cases, or widen gate.margin"]
    return ["no gated metric knows a right answer from a wrong one: name one, or give cases facts or expected answers"]


def _lost(asked: Sequence[Asked]) -> tuple[str, ...]:
    worse = (
        case.pair.case.id
        for one in asked
        for case in one.cases
        if (case.difference > SAME if one.metric.low_is_good else case.difference < -SAME)
    )
    return tuple(dict.fromkeys(worse))


def _known(name: str) -> Metric:
    """The metric of a name. Raises ConfigError when there is none that a gate can use."""
    usable = {metric.name: metric for metric in METRICS if metric.unit in ("share", "score")}
    if name not in usable:
        raise ConfigError(
            f"[gate] names the metric '{name}'",
            expected=f"one of {', '.join(usable)}",
            remedy="correct it in gate.metrics, gate.margins or gate.floors",
        )
    return usable[name]


def _together(rulings: Sequence[Ruling], run: Run) -> tuple[Verdict, list[str]]:
    """The verdict on all metrics, and in words why it is not 'pass'."""
    failed = [one for one in rulings if one.verdict == "fail"]
    if failed:
        return "fail", [f"{one.label}: {told(one)}" for one in failed]
    reasons = [
        f"{one.label}: {told(one)}; {needed(one)}"
        for one in rulings
        if one.is_required and one.verdict == "inconclusive"
    ]
    if asked := missing(run):
        reasons.append(
            f"the run ended early: {number_of('question', asked)} of {len(run.cases) * run.repeat:,} not asked"
        )
    if not any(one.is_required for one in rulings):
        reasons.append(too_few(rulings))
    return ("inconclusive", reasons) if reasons else ("pass", [])
