"""plumb eval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evals.drift_cli import canary_app, drift
from rag.terminal import clean, complain, console, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evals.records import Run
    from evals.run import Progress

app = typer.Typer(help="Measure answers against a dataset of questions.", no_args_is_help=True)
app.add_typer(canary_app, name="canary")
app.command()(drift)


@app.callback()
def _options() -> None:
    """Measure answers against a dataset of questions."""


@app.command()
def run(  # noqa: PLR0913, PLR0917 - a command's options
    dataset: Annotated[Path, typer.Argument(help="Questions with expected facts and sources, one JSON object a line.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only the first so many.")] = None,
    split: Annotated[Literal["dev", "test"] | None, typer.Option(help="Ask only this part.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Ask only questions with this tag; repeatable.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to keep the run; default: <data_dir>/runs/<time>-<dataset>.json."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> None:
    """Ask every question, keep the run as one file, print its figures."""
    from evals.dataset import load_dataset, select
    from evals.judge import make_judge
    from evals.records import check_writable, plain_run, save_run
    from evals.run import evaluate, run_path
    from rag.engine import Engine
    from rag.observe.ship import ship_detached
    from rag.settings import load_settings

    questions = load_dataset(dataset)
    selection = {"split": split, "tags": tag or [], "limit": limit}
    cases = select(questions.cases, split=split, tags=tag or [], limit=limit)
    settings = load_settings()
    check_writable(out or run_path(settings, "run"))
    engine, judge = Engine.from_settings(settings), make_judge(settings)
    for done in _runs(evaluate(engine, questions, cases=cases, selection=selection, judge=judge)):
        path = out or run_path(settings, done.id)
        save_run(done, path)
        if len(done.records) < len(cases):
            complain(f"the run ends after {len(done.records)} of {len(cases)} questions; they are kept in {path}")
    if as_json:
        print_json({**plain_run(done), "path": str(path)})
    else:
        _print(done, path)
    ship_detached(settings)
    if any(record.error is not None for record in done.records):
        raise typer.Exit(1)


def _runs(events: Iterable[Progress]) -> Iterator[Run]:
    """Show the progress, and yield the run as soon as there is one: an error may still follow."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from evals.records import Run
    from evals.run import Asked, Started

    screen = console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task, failed = bar.add_task("", total=None), 0
        for event in events:
            match event:
                case Started(cases=cases):
                    bar.update(task, total=cases)
                case Asked(case=case, record=record):
                    failed += record.error is not None
                    told = f"{failed} failed · " if failed else ""
                    bar.update(task, advance=1, description=f"{told}{clean(case.question)[:50]}")
                case Run():
                    yield event


def _print(done: Run, path: Path) -> None:
    from evals.report import draw_run

    screen = console()
    draw_run(screen, done)
    screen.print(f"\nkept in {path}", markup=False, soft_wrap=True)
