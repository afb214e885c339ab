"""From cases and records to figures: pure functions, so that a stored run can be scored again.

A metric takes observations from each case it applies to, none from the others. A question that failed counts as a
wrong answer and as not declined; what it would have retrieved, cited and taken is unknown, so it is left out there
and the number of cases says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evals.records import Figure, Given, Record, Retrieved, Run, Summary
from rag.case import Case
from rag.verify import MARKER, plain

Unit = Literal["share", "score", "ms", "tokens"]
Group = Literal["retrieval", "answers", "citations", "time", "tokens"]
Observe = Callable[[Case, Record], Sequence[float]]
# The judge's chance from which on an answer counts as right.
JUDGED_RIGHT_AT = 0.5
DEPTHS = (1, 3, 5, 8)
# 97.5 % quantile of the normal distribution: two sides of 2.5 % make 95 %.
Z_95 = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure by name: what it takes from a case (`observe`) and what it makes of all of that (`over`)."""

    name: str
    label: str
    group: Group
    unit: Unit
    observe: Observe
    over: Callable[[Sequence[float]], float]


def score(run: Run) -> Run:
    """The run with the scores of its records and its summary computed anew."""
    return replace(run, records=score_records(run.cases, run.records), summary=summarize(run.cases, run.records))


def score_records(cases: Sequence[Case], records: Sequence[Record]) -> tuple[Record, ...]:
    """The records, each with its own scores; None where a metric does not apply to its case."""
    by_id = {case.id: case for case in cases}
    return tuple(replace(record, scores=_own_scores(by_id[record.case_id], record)) for record in records)


def summarize(cases: Sequence[Case], records: Sequence[Record]) -> Summary:
    """All figures over all records, over each split and over each tag."""
    by_id = {case.id: case for case in cases}
    pairs = [(by_id[record.case_id], record) for record in records]
    splits = sorted({case.split for case, _ in pairs})
    tags = sorted({tag for case, _ in pairs for tag in case.tags})
    return Summary(
        overall=figures(pairs),
        by_split={split: figures([pair for pair in pairs if pair[0].split == split]) for split in splits},
        by_tag={tag: figures([pair for pair in pairs if tag in pair[0].tags]) for tag in tags},
    )


def figures(pairs: Sequence[tuple[Case, Record]]) -> dict[str, Figure]:
    """Every metric over these cases, by name."""
    return {metric.name: figure(metric, pairs) for metric in METRICS}


def figure(metric: Metric, pairs: Sequence[tuple[Case, Record]]) -> Figure:
    """One metric over these cases; a share comes with its Wilson interval."""
    observed = [metric.observe(case, record) for case, record in pairs]
    values = [value for found in observed for value in found]
    cases = sum(bool(found) for found in observed)
    if not values:
        return Figure(cases=0, value=None)
    value = metric.over(values)
    low, high = wilson(value, len(values)) if metric.unit == "share" else (None, None)
    return Figure(cases=cases, value=value, low=low, high=high)


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share of `count` observations.

    Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927); recommended for small
    counts by Brown, Cai and DasGupta, Interval Estimation for a Binomial Proportion (2001). For observations
    between 0 and 1 (half of the sources found) it is wider than need be; for several observations from one answer
    (its citations), which are not independent, it is narrower.
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


def is_source(uri: str, source: str) -> bool:
    """Whether an indexed document is the expected one: the same path, or one that ends in it."""
    return uri == source or uri.endswith(f"/{source}")


def recall(case: Case, uris: Sequence[str], *, depth: int) -> float:
    """The share of the expected sources among the first `depth` hits, `uris` naming the document of each.

    With the tag 'any' one of them is enough. A product that returns fewer hits than `depth` is judged by those.
    """
    found = [any(is_source(uri, source) for uri in uris[:depth]) for source in case.sources]
    return float(any(found)) if "any" in case.tags else sum(found) / len(found)


def reciprocal_rank(case: Case, uris: Sequence[str]) -> float:
    """One over the rank of the first hit from any expected source; 0 when there is none."""
    ranks = (rank for rank, uri in enumerate(uris, 1) if any(is_source(uri, s) for s in case.sources))
    return 1 / next(ranks, math.inf)


def is_correct(case: Case, answer: Given) -> bool:
    """Whether an answer was given that says every fact, each in one of its wordings."""
    return not answer.abstained and all(any(says(answer.text, wording) for wording in fact) for fact in case.facts)


def says(text: str, wording: str) -> bool:
    """Whether a text contains a wording of a fact.

    Compared as `rag.verify.plain` evens texts out (case, white space, quotation marks, dashes), without citation
    marks and Markdown emphasis. The wording must begin where a word or number begins and may go on as a word does
    ('30 min' in '30 minutes'), but a number must be whole: '28' is not in '280', '1928', '1,028', '28.5' or '28:15',
    'five' not in 'twenty-five'. Cents of zero ('90' in '90.00') and the year after a date ('21.08' in '21.08.2026')
    may follow.
    """
    wanted = _evened(wording)
    return bool(wanted) and re.search(_BEFORE + re.escape(wanted) + _after(wanted), _evened(text)) is not None


_BEFORE = r"(?<!\w)(?<!\d[.,:])(?<!ty-)"
_AFTER_NUMBER = r"(?=[.,]00?(?!\d|[.,]\d)|\.(?:19|20)\d\d(?!\d)|(?!\w|[.,:]\d))"
_EMPHASIS = re.compile(r"[*`]|(?<!\w)_+|_+(?!\w)")


def _after(wanted: str) -> str:
    return _AFTER_NUMBER if wanted[-1].isdigit() else ""


def _evened(text: str) -> str:
    return plain(_EMPHASIS.sub("", MARKER.sub("", text)))


def stands_in_passage(quote: str, marker: int, hits: Sequence[Retrieved]) -> bool:
    """Whether a cited quote stands in the passage of that number, typography aside."""
    text = next((hit.text for hit in hits if hit.marker == marker), "")
    return bool(quote.strip()) and plain(quote) in plain(text)


def _own_scores(case: Case, record: Record) -> Mapping[str, float | None]:
    judged = (metric for metric in METRICS if metric.unit in ("share", "score"))
    observed = {metric.name: metric.observe(case, record) for metric in judged}
    return {name: mean(values) if values else None for name, values in observed.items()}


def _recall_at(depth: int) -> Observe:
    return lambda case, record: [recall(case, _uris(record), depth=depth)] if case.sources and record.answer else []


def _uris(record: Record) -> list[str]:
    return [hit.uri for hit in record.hits]


def _reciprocal_rank(case: Case, record: Record) -> Sequence[float]:
    return [reciprocal_rank(case, _uris(record))] if case.sources and record.answer else []


def _correct(case: Case, record: Record) -> Sequence[float]:
    if not case.facts:
        return []
    return [float(record.answer is not None and is_correct(case, record.answer))]


def _judged(case: Case, record: Record) -> Sequence[float]:  # noqa: ARG001
    return [] if record.judged is None else [float(record.judged >= JUDGED_RIGHT_AT)]


def _declined_unanswerable(case: Case, record: Record) -> Sequence[float]:
    return [] if case.answerable else [float(record.answer is not None and record.answer.abstained)]


def _declined_answerable(case: Case, record: Record) -> Sequence[float]:
    # Where nobody has said what is right, to decline may be.
    return [float(record.answer.abstained)] if case.answerable and case.expects and record.answer else []


def _supported(case: Case, record: Record) -> Sequence[float]:  # noqa: ARG001
    given = record.answer is not None and not record.answer.abstained
    return [float(record.answer.verdict.supported)] if given and record.answer else []


def _precision(case: Case, record: Record) -> Sequence[float]:
    if not (case.sources and record.answer):
        return []
    return [float(any(is_source(cited.uri, s) for s in case.sources)) for cited in record.answer.citations]


def _verbatim(case: Case, record: Record) -> Sequence[float]:  # noqa: ARG001
    cited = record.answer.citations if record.answer else ()
    return [float(stands_in_passage(citation.quote, citation.marker, record.hits)) for citation in cited]


def _failed(case: Case, record: Record) -> Sequence[float]:  # noqa: ARG001
    return [float(record.error is not None)]


def _took(name: str) -> Observe:
    def observe(case: Case, record: Record) -> Sequence[float]:  # noqa: ARG001
        value = record.answer.timings_ms.get(name) if record.answer else None
        return [] if value is None else [value]

    return observe


def _used(name: Literal["prompt", "completion", "cached"]) -> Observe:
    return lambda case, record: [float(getattr(record.answer.usage, name))] if record.answer else []  # noqa: ARG005


def _p50(values: Sequence[float]) -> float:
    return percentile(values, 0.50)


def _p95(values: Sequence[float]) -> float:
    return percentile(values, 0.95)


def _share(name: str, label: str, group: Group, observe: Observe) -> Metric:
    return Metric(name=name, label=label, group=group, unit="share", observe=observe, over=mean)


def _time(name: str, label: str, step: str, over: Callable[[Sequence[float]], float]) -> Metric:
    return Metric(name=name, label=label, group="time", unit="ms", observe=_took(step), over=over)


def _tokens(name: Literal["prompt", "completion", "cached"]) -> Metric:
    label = f"{name} tokens, mean"
    return Metric(name=f"{name}_tokens", label=label, group="tokens", unit="tokens", observe=_used(name), over=mean)


METRICS: tuple[Metric, ...] = (
    *(_share(f"recall_at_{k}", f"recall@{k} of sources", "retrieval", _recall_at(k)) for k in DEPTHS),
    Metric(name="mrr", label="MRR", group="retrieval", unit="score", observe=_reciprocal_rank, over=mean),
    _share("correct", "answerable, right", "answers", _correct),
    _share("judged", "right to the judge", "answers", _judged),
    _share("declined_answerable", "answerable, declined", "answers", _declined_answerable),
    _share("declined_unanswerable", "unanswerable, declined", "answers", _declined_unanswerable),
    _share("failed", "questions failed", "answers", _failed),
    _share("supported", "answers fully supported", "citations", _supported),
    _share("citation_precision", "citations from sources", "citations", _precision),
    _share("quotes_verbatim", "quotes word for word", "citations", _verbatim),
    _time("total_ms_p50", "total time, p50", "total", _p50),
    _time("total_ms_p95", "total time, p95", "total", _p95),
    _time("first_token_ms_p50", "first token, p50", "first_token", _p50),
    _time("first_token_ms_p95", "first token, p95", "first_token", _p95),
    _time("first_token_ms_max", "first token, longest", "first_token", max),
    _tokens("prompt"),
    _tokens("completion"),
    _tokens("cached"),
)
