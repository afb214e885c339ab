"""A run as one self-contained HTML page: its figures, how they differ from another's, and every case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from evals.compare import Compared, Comparison
from evals.gate import Decision
from evals.metrics import METRICS, Metric
from evals.plots import Dot, dots
from evals.records import Figure, Record, Run
from evals.report import BY_TAG, judge_told, shown_figure
from evals.words import chance, figure, points
from rag.case import Case
from rag.terminal import clean

TEMPLATE = Path(__file__).with_name("page.html")
# From here on a difference is more than chance.
CLEAR_AT = 0.05
CHECKED = ("correct", "judged", "declined_unanswerable", "supported")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A case on the page; `wrong` are the metrics that say so."""

    id: str
    question: str
    wrong: tuple[str, ...]
    expected: str
    answer: str
    found: tuple[str, ...]


def report_page(run: Run, comparison: Comparison | None = None, decision: Decision | None = None) -> str:
    """The page. What comes from documents, questions and models is shown as text, never as markup."""
    # Untrusted text may hold what a browser takes for more than text.
    page = Environment(autoescape=True, undefined=StrictUndefined, finalize=_clean).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    return page.render(
        run=run,
        decision=decision,
        comparison=comparison,
        facts=_facts(run),
        figures=[_row(metric, own) for metric in METRICS if (own := run.summary.overall[metric.name]).cases],
        figures_plot=Markup(_figures(run)),  # noqa: S704 - our own picture, its words escaped
        gains=[_gain(one) for one in comparison.metrics] if comparison else [],
        gains_plot=Markup(_gains(comparison)) if comparison else "",  # noqa: S704
        tags={
            tag: [shown_figure(own.get(name), "share") for name in BY_TAG] for tag, own in run.summary.by_tag.items()
        },
        tag_labels=[" ".join(label.split()) for label in BY_TAG.values()],
        cases=list(_cases(run)),
    )


def _clean(value: object) -> object:
    return clean(value) if type(value) is str else value


def _facts(run: Run) -> Mapping[str, str]:
    told = {
        "dataset": f"{run.dataset.name} {run.dataset.sha256[:12]}",
        "asked": f"{run.started} to {run.ended}, {len(run.records)} of {len(run.cases) * run.repeat}",
        "models": "; ".join(f"{role} {', '.join(names)}" for role, names in run.models.items()),
        "prompts": ", ".join(f"{prompt.id} {prompt.version} ({prompt.sha})" for prompt in run.prompts),
        "index": f"{run.index.name}, {run.index.chunks} chunks",
        "settings": run.config_hash,
        "code": run.code_version,
        "machine": f"{run.machine.cpu}, {run.machine.cores} cores",
    }
    return {**told, "judge": judge_told(run.judge)} if run.judge else told


def _row(metric: Metric, found: Figure) -> Mapping[str, object]:
    interval = "" if found.low is None or found.high is None else f"{100 * found.low:.0f} to {100 * found.high:.0f} %"
    return {
        "label": metric.label,
        "cases": found.cases,
        "value": shown_figure(found, metric.unit),
        "interval": interval,
    }


def _figures(run: Run) -> str:
    rows = [
        Dot(label=metric.label, value=own.value, low=own.low, high=own.high, told=shown_figure(own, "share"))
        for metric in METRICS
        if (own := run.summary.overall[metric.name]).value is not None and own.low is not None and own.high is not None
    ]
    return dots(rows, low=0.0, high=1.0)


def _gain(one: Compared) -> Mapping[str, object]:
    interval = f"{points(one.low, one.unit)} to {points(one.high, one.unit)}"
    cells = [
        *(one.cases, figure(one.first, one.unit), figure(one.second, one.unit), points(one.difference, one.unit)),
        *(interval, one.better, one.worse, chance(one.p_holm)),
    ]
    return {"label": one.label, "cells": cells, "kind": _kind(one)}


def _gains(comparison: Comparison) -> str:
    rows = [_gain_dot(one) for one in comparison.metrics]
    reach = max([0.05, *(abs(end) for row in rows for end in (row.low, row.high))])
    return dots(rows, low=-reach, high=reach, shown="{:+.0%}", zero=0.0)


def _gain_dot(one: Compared) -> Dot:
    low, high = (-one.high, -one.low) if one.low_is_good else (one.low, one.high)
    told = f"{points(one.difference, one.unit)}, p {chance(one.p_holm)}"
    return Dot(label=one.label, value=one.gain, low=low, high=high, told=told, kind=_kind(one))


def _kind(one: Compared) -> str:
    return "" if one.p_holm >= CLEAR_AT else "better" if one.gain > 0 else "worse"


def _cases(run: Run) -> Iterator[_Shown]:
    """Those of which most is wrong first."""
    cases = {case.id: case for case in run.cases}
    shown = [_shown(cases[record.case_id], record) for record in run.records]
    yield from sorted(shown, key=lambda one: -len(one.wrong))


def _shown(case: Case, record: Record) -> _Shown:
    wrong = [name for name in CHECKED if record.scores.get(name) == 0]
    wrong += [name for name in ("declined_answerable", "failed") if record.scores.get(name) == 1]
    expected = case.expected or "; ".join(" or ".join(fact) for fact in case.facts)
    return _Shown(
        id=case.id,
        question=case.question,
        wrong=tuple(wrong),
        expected=expected if case.answerable else "no answer",
        answer=record.answer.text if record.answer else str(record.error),
        found=tuple(dict.fromkeys(hit.uri for hit in record.hits)),
    )
