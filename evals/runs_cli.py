"""plumb eval runs and decisions: what is kept, and what the gate said of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rag.terminal import clean, console, in_line, number_of, print_json

if TYPE_CHECKING:
    from evals.gate import Decision
    from evals.kept import KeptRun

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def runs(as_json: AsJson = False) -> None:
    """List the runs that are kept, newest first, with the figures they were kept with."""
    from evals.kept import kept_runs
    from rag.settings import load_settings

    found, none = kept_runs(load_settings())
    if as_json:
        told = {"runs": [asdict(one) for one in found], "unreadable": [asdict(one) for one in none]}
        print_json({**told, "metrics": _metrics()})
        return
    screen = console()
    for one in found:
        screen.print("\n".join(map(in_line, _told(one))), markup=False)
    for file in none:
        screen.print(in_line(f"{file.path} is no run: {file.why}"), markup=False, style="yellow")
    if not found:
        screen.print("No run is kept yet: plumb eval run DATASET makes one.", markup=False)


def decisions(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what the gate decided, newest first."""
    from collections import deque

    from evals.decisions import decisions as decided
    from evals.decisions import decisions_path
    from rag.settings import load_settings

    found = list(deque(decided(decisions_path(load_settings())), maxlen=limit))[::-1]
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        console().print("\n".join(map(in_line, _decided(one))), markup=False)
    if not found:
        console().print("The gate decided nothing yet: plumb eval gate does.", markup=False)


def _metrics() -> list[dict[str, object]]:
    """What the figures of a run mean, by their names."""
    from evals.metrics import METRICS

    told = ("name", "label", "unit", "low_is_good", "is_neutral")
    return [{name: getattr(metric, name) for name in told} for metric in METRICS]


def _told(run: KeptRun) -> list[str]:
    """A run in four lines."""
    from evals.kept import SHOWN
    from evals.report import interval_told, shown_figure
    from evals.selection import in_words

    selection = in_words(run.dataset.selection)
    version = f"{run.dataset.name} {run.dataset.sha256[:12]}{f' ({selection})' if selection else ''}"
    figures = [
        f"{name} {shown_figure(run.figures[name], 'share')} {interval_told(run.figures[name])}"
        for name in SHOWN
        if name in run.figures
    ]
    models = "; ".join(f"{role} {', '.join(names)}" for role, names in run.models.items())
    return [
        f"{run.id}{''.join(f'  [{name}]' for name in run.baselines)}",
        f"  {run.started}, {run.asked} of {number_of('case', run.cases)} of {version}",
        f"  {', '.join(one.strip() for one in figures)}",
        f"  {models or '–'}; index {run.index.name}; config {run.config_hash}; cost {_cost(run)}",
    ]


def _cost(run: KeptRun) -> str:
    from rag.llm.price import cost_text

    least = f", at least {cost_text(run.known_cost)}" if run.cost is None and run.known_cost else ""
    return f"{cost_text(run.cost)}{least}"


def _decided(one: Decision) -> list[str]:
    against = f"'{one.baseline}', {one.baseline_run}"
    head = f"{one.at}  {one.verdict}  {clean(one.run)} against {against}, {number_of('case', one.cases)}"
    return [head, *(f"  {reason}" for reason in one.reasons)]
