"""From cases and records to figures: pure functions, so that a stored run can be scored again.

A metric takes one value from each record it applies to, none from the others: what does not apply or can't be computed
is left out, and the number of cases says so. A question that failed counts as a wrong answer and as not declined; what
it would have retrieved, cited and taken is unknown.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evals.ranking import DEPTHS, is_source, rank_scores
from evals.records import Figure, Given, Record, Retrieved, Run, Summary
from evals.saying import says
from evals.squad_scores import exact_match, f1, said
from rag.case import Case
from rag.verify import MARKER, plain

Unit = Literal["share", "score", "ms", "tokens", "money"]
Group = Literal["retrieval", "answers", "citations", "time", "tokens"]
Observe = Callable[[Case, Record], float | None]
# The judge's chance from which on an answer counts as right.
JUDGED_RIGHT_AT = 0.5
# 97.5 % quantile of the normal distribution: two sides of 2.5 % make 95 %.
Z_95 = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure by name. `observe` takes its value from a record, `over` makes one of all.

    Without `over` it is the mean over the cases, by their weights, of each case's own mean over its repetitions.
    `by_judge` tells that a model gave it: figures of two judges are not compared. One that `is_neutral`, as neither
    high nor low is good, is told and never compared.
    """

    name: str
    label: str
    group: Group
    unit: Unit
    observe: Observe
    over: Callable[[Sequence[float]], float] | None = None
    low_is_good: bool = False
    by_judge: bool = False
    is_neutral: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observed:
    """What every metric takes from a record of a case, by the metric's name."""

    case: Case
    values: Mapping[str, float | None]


def score(run: Run) -> Run:
    """The run with the scores of its records and its summary computed anew."""
    observed = _observed(run.cases, run.records)
    records = (replace(record, scores=_own(one)) for record, one in zip(run.records, observed, strict=True))
    return replace(run, records=tuple(records), summary=_summary(observed))


def score_records(cases: Sequence[Case], records: Sequence[Record]) -> tuple[Record, ...]:
    """The records, each with its own scores; None where a metric does not apply to its case."""
    observed = _observed(cases, records)
    return tuple(replace(record, scores=_own(one)) for record, one in zip(records, observed, strict=True))


def summarize(cases: Sequence[Case], records: Sequence[Record]) -> Summary:
    """All figures over all records, over each split and over each tag."""
    return _summary(_observed(cases, records))


def _observed(cases: Sequence[Case], records: Sequence[Record]) -> list[_Observed]:
    """Each record looked at once: to look takes far longer than to make figures of what was seen."""
    by_id = {case.id: case for case in cases}
    pairs = ((by_id[record.case_id], record) for record in records)
    return [
        _Observed(case=case, values={metric.name: metric.observe(case, record) for metric in METRICS})
        for case, record in pairs
    ]


def _summary(observed: Sequence[_Observed]) -> Summary:
    splits = sorted({one.case.split for one in observed})
    tags = sorted({tag for one in observed for tag in one.case.tags})
    return Summary(
        overall=_figures(observed),
        by_split={split: _figures([one for one in observed if one.case.split == split]) for split in splits},
        by_tag={tag: _figures([one for one in observed if tag in one.case.tags]) for tag in tags},
    )


def _figures(observed: Sequence[_Observed]) -> dict[str, Figure]:
    return {metric.name: _figure(metric, observed) for metric in METRICS}


def _figure(metric: Metric, observed: Sequence[_Observed]) -> Figure:
    """One metric over these cases; a share comes with its Wilson interval, as if each case were one observation."""
    found = [(one.case, value) for one in observed if (value := one.values[metric.name]) is not None]
    weights = {case.id: case.weight for case, _ in found}
    if not weights:
        return Figure(cases=0, value=None)
    if metric.over:
        return Figure(cases=len(weights), value=metric.over([value for _, value in found]))
    by_case = defaultdict[str, list[float]](list)
    for case, value in found:
        by_case[case.id].append(value)
    value = math.fsum(mean(by_case[name]) * weight for name, weight in weights.items()) / math.fsum(weights.values())
    low, high = wilson(value, _effective(weights.values())) if metric.unit == "share" else (None, None)
    return Figure(cases=len(weights), value=value, low=low, high=high)


def _effective(weights: Iterable[float]) -> float:
    """The number of equal cases that tell as much: Kish, Survey Sampling (1965)."""
    known = list(weights)
    return math.fsum(known) ** 2 / math.fsum(weight**2 for weight in known)


def wilson(share: float, count: float) -> tuple[float, float]:
    """The 95 % score interval of a share of `count` observations.

    Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927); recommended for small
    counts by Brown, Cai and DasGupta, Interval Estimation for a Binomial Proportion (2001). For observations
    between 0 and 1 (half of the sources found) it is wider than need be.
    """
    spread = Z_95**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = Z_95 * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie, interpolated (type 7 of Hyndman and Fan, 1996)."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one value."""
    return math.fsum(values) / len(values)


def is_correct(case: Case, answer: Given) -> bool:
    """Whether an answer was given that says every fact, each in one of its wordings."""
    return not answer.abstained and all(any(says(answer.text, wording) for wording in fact) for fact in case.facts)


def stands_in_passage(quote: str, marker: int, hits: Sequence[Retrieved]) -> bool:
    """Whether a cited quote stands in the passage of that number, typography aside."""
    text = next((hit.text for hit in hits if hit.marker == marker), "")
    return bool(quote.strip()) and plain(quote) in plain(text)


def _own(observed: _Observed) -> Mapping[str, float | None]:
    judged = (metric for metric in METRICS if metric.unit in ("share", "score") and not metric.is_neutral)
    return {metric.name: observed.values[metric.name] for metric in judged}


def _ranked(name: str) -> Observe:
    def observe(case: Case, record: Record) -> float | None:
        return rank_scores(case, [hit.uri for hit in record.hits]).get(name) if record.answer else None

    return observe


def _evidence(case: Case, record: Record) -> float | None:
    if not (case.evidence and record.answer):
        return None
    texts = [plain(hit.text) for hit in record.hits]
    return mean([float(any(plain(words) in text for text in texts)) for words in case.evidence])


def _correct(case: Case, record: Record) -> float | None:
    return float(record.answer is not None and is_correct(case, record.answer)) if case.facts else None


def _facts_said(case: Case, record: Record) -> float | None:
    if not case.facts:
        return None
    text = _answered(record)
    return mean([float(any(says(text, wording) for wording in fact)) for fact in case.facts])


def _exact(case: Case, record: Record) -> float | None:
    return exact_match(_answered(record), [case.expected]) if case.expected else None


def _f1(case: Case, record: Record) -> float | None:
    return f1(_answered(record), [case.expected]) if case.expected else None


def _expected_said(case: Case, record: Record) -> float | None:
    return said(_answered(record), [case.expected]) if case.expected else None


def _answered(record: Record) -> str:
    """What was answered, without citation marks; '' where the question was declined or failed."""
    return MARKER.sub("", record.answer.text) if record.answer and not record.answer.abstained else ""


def _similarity(case: Case, record: Record) -> float | None:  # noqa: ARG001
    return record.similarity


def _judged(case: Case, record: Record) -> float | None:  # noqa: ARG001
    return None if record.judged is None else float(record.judged >= JUDGED_RIGHT_AT)


def _declined(case: Case, record: Record) -> float | None:  # noqa: ARG001
    return float(record.answer.abstained) if record.answer else None


def _declined_unanswerable(case: Case, record: Record) -> float | None:
    return None if case.answerable else float(record.answer is not None and record.answer.abstained)


def _declined_answerable(case: Case, record: Record) -> float | None:
    # Where nobody has said what is right, to decline may be.
    return float(record.answer.abstained) if case.answerable and case.expects and record.answer else None


def _supported(case: Case, record: Record) -> float | None:  # noqa: ARG001
    given = record.answer is not None and not record.answer.abstained
    return float(record.answer.verdict.supported) if given and record.answer else None


def _supported_claims(case: Case, record: Record) -> float | None:  # noqa: ARG001
    return record.answer.verdict.supported_share if record.answer and not record.answer.abstained else None


def _precision(case: Case, record: Record) -> float | None:
    if not (case.sources and record.answer and record.answer.citations):
        return None
    return mean([float(any(is_source(cited.uri, s) for s in case.sources)) for cited in record.answer.citations])


def _cited(case: Case, record: Record) -> float | None:
    if not (case.sources and record.answer) or record.answer.abstained:
        return None
    found = [float(any(is_source(cited.uri, source) for cited in record.answer.citations)) for source in case.sources]
    return max(found) if "any" in case.tags else mean(found)


def _verbatim(case: Case, record: Record) -> float | None:  # noqa: ARG001
    cited = record.answer.citations if record.answer else ()
    stands = [float(stands_in_passage(citation.quote, citation.marker, record.hits)) for citation in cited]
    return mean(stands) if stands else None


def _failed(case: Case, record: Record) -> float | None:  # noqa: ARG001
    return float(record.error is not None)


def _cost(case: Case, record: Record) -> float | None:  # noqa: ARG001
    return record.cost


def _took(name: str) -> Observe:
    def observe(case: Case, record: Record) -> float | None:  # noqa: ARG001
        return record.answer.timings_ms.get(name) if record.answer else None

    return observe


def _used(name: Literal["prompt", "completion", "cached"]) -> Observe:
    return lambda case, record: float(getattr(record.answer.usage, name)) if record.answer else None  # noqa: ARG005


def _p50(values: Sequence[float]) -> float:
    return percentile(values, 0.50)


def _p95(values: Sequence[float]) -> float:
    return percentile(values, 0.95)


def _share(name: str, label: str, group: Group, observe: Observe) -> Metric:
    return Metric(name=name, label=label, group=group, unit="share", observe=observe)


def _score(name: str, label: str, group: Group, observe: Observe) -> Metric:
    return Metric(name=name, label=label, group=group, unit="score", observe=observe)


def _time(name: str, label: str, step: str, over: Callable[[Sequence[float]], float]) -> Metric:
    return Metric(name=name, label=label, group="time", unit="ms", observe=_took(step), over=over, low_is_good=True)


def _tokens(name: Literal["prompt", "completion", "cached"]) -> Metric:
    label = f"{name} tokens, mean"
    told = Metric(name=f"{name}_tokens", label=label, group="tokens", unit="tokens", observe=_used(name), over=mean)
    return replace(told, is_neutral=True)


METRICS: tuple[Metric, ...] = (
    *(_share(f"recall_at_{k}", f"recall@{k} of sources", "retrieval", _ranked(f"recall_at_{k}")) for k in DEPTHS),
    _score("ndcg_at_10", "nDCG@10", "retrieval", _ranked("ndcg_at_10")),
    _score("mrr", "MRR", "retrieval", _ranked("mrr")),
    _share("evidence_found", "evidence found", "retrieval", _evidence),
    _share("correct", "answerable, right", "answers", _correct),
    _share("facts_said", "facts said", "answers", _facts_said),
    _share("exact", "expected answer, exact", "answers", _exact),
    _score("f1", "expected answer, F1", "answers", _f1),
    _score("expected_said", "expected answer, words said", "answers", _expected_said),
    _score("similarity", "expected answer, likeness", "answers", _similarity),
    replace(_share("judged", "right to the judge", "answers", _judged), by_judge=True),
    replace(_share("declined", "questions declined", "answers", _declined), is_neutral=True),
    replace(_share("declined_answerable", "answerable, declined", "answers", _declined_answerable), low_is_good=True),
    _share("declined_unanswerable", "unanswerable, declined", "answers", _declined_unanswerable),
    replace(_share("failed", "questions failed", "answers", _failed), low_is_good=True),
    _share("supported", "answers fully supported", "citations", _supported),
    _share("supported_claims", "claims supported", "citations", _supported_claims),
    _share("citation_precision", "citations from sources", "citations", _precision),
    _share("citation_recall", "sources cited", "citations", _cited),
    _share("quotes_verbatim", "quotes word for word", "citations", _verbatim),
    _time("total_ms_p50", "total time, p50", "total", _p50),
    _time("total_ms_p95", "total time, p95", "total", _p95),
    _time("first_token_ms_p50", "first token, p50", "first_token", _p50),
    _time("first_token_ms_p95", "first token, p95", "first_token", _p95),
    _time("first_token_ms_max", "first token, longest", "first_token", max),
    _tokens("prompt"),
    _tokens("completion"),
    _tokens("cached"),
    Metric(
        name="cost",
        label="cost of a question, mean",
        group="tokens",
        unit="money",
        observe=_cost,
        over=mean,
        low_is_good=True,
    ),
)
