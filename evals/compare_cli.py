"""plumb eval compare, gate and baseline: whether a change made answers better or worse."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from evals.together import refuse_beside
from rag.terminal import clean, complain, console, print_json

if TYPE_CHECKING:
    from evals.records import Run
    from rag.settings import Settings

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}
Name = "a file, an id or its beginning, 'latest', or a named baseline"
AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print a summary as Markdown, for CI.")]
Shown = Annotated[int, typer.Option("--flips", min=0, help="Show so many of the cases that turned.")]


def compare(  # noqa: PLR0913, PLR0917 - a command's options
    context: typer.Context,
    first: Annotated[str, typer.Argument(help=f"A run: {Name}.")],
    second: Annotated[str, typer.Argument(help="The run to hold against it.")] = "latest",
    shown: Shown = 5,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Tell by how much two runs differ, whether that is chance, and which cases turned."""
    from evals.baselines import find_run
    from evals.compare import compare as compared
    from evals.compare_report import draw_comparison
    from evals.markdown import comparison_page
    from rag.settings import load_settings

    if as_json:
        refuse_beside("--json", context, ["as_markdown", "shown"])
    if as_markdown:
        refuse_beside("--markdown", context, ["shown"])
    settings = load_settings()
    found = compared(find_run(settings, first), find_run(settings, second))
    if as_json:
        print_json(asdict(found))
    elif as_markdown:
        sys.stdout.write(comparison_page(found))
    else:
        draw_comparison(console(), found, shown=shown)


def gate(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help=f"The run to decide on: {Name}.")] = "latest",
    baseline: Annotated[
        str, typer.Option(help=f"The run it is held against: {Name}; default: the one that gate.baseline names.")
    ] = "",
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Decide whether a run may take the place of the baseline: exit code 0 pass, 1 fail, 3 not enough to tell.

    What may be lost is set in [gate]. Every decision is added to <data_dir>/evals/decisions.jsonl.
    """
    from evals.baselines import find_baseline, find_run
    from evals.compare import turned
    from evals.decisions import decisions_path, record
    from evals.gate import decide
    from evals.gate_report import draw_decision
    from evals.markdown import decision_page
    from rag.settings import load_settings

    if as_json:
        refuse_beside("--json", context, ["as_markdown"])
    settings = load_settings()
    name = baseline or settings.gate.baseline
    before, now = find_baseline(settings, name), find_run(settings, run)
    _tell_of_trial(settings, run, now)
    decision = decide(before, now, settings.gate, name=name)
    record(decision, decisions_path(settings))
    if as_json:
        print_json(asdict(decision))
    elif as_markdown:
        sys.stdout.write(decision_page(decision, turned(before, now)))
    else:
        draw_decision(console(), decision)
    raise typer.Exit(EXIT_CODES[decision.verdict])


def baseline(
    name: Annotated[str, typer.Argument(help="What to call it; without a name all are listed.")] = "",
    run: Annotated[str, typer.Argument(help=f"The run: {Name}.")] = "latest",
    as_json: AsJson = False,
) -> None:
    """Give a run a name that later runs are held against, or list the runs that have one."""
    from evals.baselines import baselines, find_run, set_baseline
    from rag.settings import load_settings

    settings = load_settings()
    found = find_run(settings, run) if name else None
    chosen = {name: set_baseline(settings, name, run)} if name else baselines(settings)
    if found:
        _tell_of_trial(settings, run, found)
    if found and not found.is_whole:
        complain(f"'{name}' is a run that ended early: cases that it did not ask are held against nothing")
    if as_json:
        print_json({each: asdict(one) for each, one in chosen.items()})
        return
    for one in chosen.values():
        console().print(f"{one.name}: {clean(one.run_id)}, {clean(one.path)}, set {one.set_at}", markup=False)
    if not chosen:
        console().print("No run has a name yet: plumb eval baseline NAME RUN gives one.", markup=False)


def _tell_of_trial(settings: Settings, name: str, run: Run) -> None:
    """Say so where the latest run is one of another system than the one that answers: it was a trial."""
    from evals.baselines import LATEST, baselines
    from evals.in_force import trial

    if name == LATEST and LATEST not in baselines(settings) and (told := trial(settings, run)):
        complain(f"'{LATEST}' is a trial run, {clean(run.id)}: {clean(told)}")
