"""A run on a terminal: its figures as a table, and the cases that went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from evals.metrics import METRICS, Metric, Unit
from evals.records import Figure, JudgeUsed, Record, Run
from evals.selection import in_words
from rag.llm.price import cost_text
from rag.terminal import clean

if TYPE_CHECKING:
    from rich.console import Console

# The figures by tag: enough to see where it hurts.
BY_TAG = {
    "recall_at_5": "recall\n@5",
    "correct": "\nright",
    "declined_answerable": "wrongly\ndeclined",
    "declined_unanswerable": "rightly\ndeclined",
    "supported": "fully\nsupported",
    "citation_precision": "citations\nfrom sources",
}
NONE = "–"


def draw_run(console: Console, run: Run) -> None:
    """The figures of a run overall, by split and by tag, then the ids of the cases that went wrong."""
    console.print(Text(_head(run), style="dim"))
    console.print(_figures(run))
    console.print()
    if run.summary.by_tag:
        console.print(_tags(run))
        console.print()
    for label, ids in _wrong(run).items():
        console.print(Text.assemble((f"{label}: ", "bold"), clean(", ".join(ids))))
    for record in run.records:
        if record.error is not None:
            console.print(Text(f"{clean(record.case_id)} failed: {clean(record.error)}", style="red"))


def shown_figure(figure: Figure | None, unit: Unit) -> str:
    """A figure for people; a dash for a metric over no cases."""
    value = figure.value if figure else None
    if value is None:
        return NONE
    match unit:
        case "share":
            return f"{100 * value:.1f} %"
        case "score":
            return f"{value:.3f}"
        case "ms":
            return f"{value / 1000:.2f} s"
        case "tokens":
            return f"{value:,.0f}"
        case "money":
            return cost_text(value)


def _head(run: Run) -> str:
    models = "; ".join(f"{role} {', '.join(names)}" for role, names in run.models.items())
    asked = f"{len(run.records)} of {len(run.cases)}" if len(run.records) < len(run.cases) else str(len(run.cases))
    selection = in_words(run.dataset.selection)
    judge = f"{judge_told(run.judge)}\n" if run.judge else ""
    return clean(
        f"{run.dataset.name} {run.dataset.sha256[:12]}{f' ({selection})' if selection else ''}, "
        f"{asked} questions, {run.started} to {run.ended}\n"
        f"models: {models or NONE}\n"
        f"{judge}cost {cost_told(run.records)}\n"
        f"index {run.index.name}, {run.index.chunks} chunks; config {run.config_hash}; code {run.code_version}; "
        f"{run.machine.cpu}, {run.machine.cores} cores"
    )


def judge_told(judge: JudgeUsed) -> str:
    """Which judge it is, and how far it agrees with people."""
    named = f"judge {', then '.join(judge.models)}, prompt {judge.prompt.id} {judge.prompt.version}"
    found = judge.agreement
    if found is None:
        return f"{named}: its agreement with people was not measured (plumb eval calibrate)"
    kappa = f"kappa {_number(found.kappa)} (95 % {_number(found.low)} to {_number(found.high)})"
    return f"{named}: {kappa}, the same on {100 * found.share:.0f} % of {found.items} of {judge.labelled}"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def cost_told(records: Sequence[Record]) -> str:
    """What all questions cost; where that of some is unknown, so is the sum, and what is known is the least."""
    known = [record.cost for record in records if record.cost is not None]
    unknown = len(records) - len(known)
    told = cost_text(sum(known))
    return f"unknown: at least {told}, {unknown} of {len(records)} unknown" if unknown else told


def _figures(run: Run) -> Table:
    splits = run.summary.by_split if len(run.summary.by_split) > 1 else {}
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for title in ("n", "value", "95 %", *(title for split in splits for title in (split, "n"))):
        table.add_column(title, justify="right", no_wrap=True)
    for before, metric in zip((None, *METRICS), METRICS, strict=False):
        if before and before.group != metric.group:
            table.add_row("")
        table.add_row(*_row(metric, run.summary.overall, splits.values()))
    return table


def _row(metric: Metric, overall: Mapping[str, Figure], splits: Iterable[Mapping[str, Figure]]) -> list[str]:
    figure = overall.get(metric.name)
    cells = [
        metric.label,
        str(figure.cases) if figure else "0",
        shown_figure(figure, metric.unit),
        interval_told(figure),
    ]
    for split in splits:
        own = split.get(metric.name)
        cells += [shown_figure(own, metric.unit), str(own.cases) if own else "0"]
    return cells


def interval_told(figure: Figure | None) -> str:
    """The 95 % interval of a share; nothing where there is none."""
    if figure is None or figure.low is None or figure.high is None:
        return ""
    return f"{100 * figure.low:.0f}–{100 * figure.high:.0f} %"


def _tags(run: Run) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("\nby tag", no_wrap=True)
    for title in ("\nn", *BY_TAG.values()):
        table.add_column(title, justify="right", no_wrap=True)
    asked = {record.case_id for record in run.records}
    for tag, figures in run.summary.by_tag.items():
        cases = sum(tag in case.tags for case in run.cases if case.id in asked)
        table.add_row(Text(clean(tag)), str(cases), *(shown_figure(figures.get(name), "share") for name in BY_TAG))
    return table


def _wrong(run: Run) -> dict[str, list[str]]:
    """Ids of cases by what went wrong with them; kinds without cases are left out."""
    answered = [record for record in run.records if record.answer and not record.answer.abstained]
    lists = {
        "source not in the first 5": _ids(run.records, "recall_at_5", below=1),
        "declined, though answerable": _ids(run.records, "declined_answerable", above=0),
        "answered, but not right": _ids(answered, "correct", below=1),
        "answered, though unanswerable": _ids(answered, "declined_unanswerable", below=1),
    }
    return {label: ids for label, ids in lists.items() if ids}


def _ids(records: Sequence[Record], name: str, *, below: float = 0, above: float = 1) -> list[str]:
    scored = ((record.case_id, record.scores.get(name)) for record in records)
    return [case_id for case_id, value in scored if value is not None and (value < below or value > above)]
