"""The differences of cases as a sample, for the tests and bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evals.intervals import Sample, sample
from evals.metrics import Metric
from evals.pairs import Scored


def gains(metric: Metric, cases: Sequence[Scored]) -> Sample:
    """The differences of the cases, positive where the second side is better, by conversation."""
    sign = -1 if metric.low_is_good else 1
    return sample([sign * one.difference for one in cases], _weights(cases), _conversations(cases))


def weighted(values: Sequence[float], cases: Sequence[Scored]) -> float:
    """The mean of a value of each case, which count by their weight."""
    return float(np.average(values, weights=_weights(cases)))


def level(metric: Metric, cases: Sequence[Scored]) -> Sample:
    """The scores of the second side by conversation; those of a metric that should be low are negative."""
    sign = -1 if metric.low_is_good else 1
    found = sample([sign * one.means[1] for one in cases], _weights(cases), _conversations(cases))
    return Sample(sums=found.sums, weights=found.weights, worst=min(sign, 0), best=max(sign, 0))


def _weights(cases: Sequence[Scored]) -> list[float]:
    return [one.pair.case.weight for one in cases]


def _conversations(cases: Sequence[Scored]) -> list[str]:
    """The conversation of each case; one by itself is its own."""
    return [
        f"conversation {case.conversation}" if case.conversation else f"case {case.id}"
        for case in (one.pair.case for one in cases)
    ]
