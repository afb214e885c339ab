"""plumb eval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evals.calibrate_cli import calibrate
from evals.kept_cli import live, print_run, score
from evals.langfuse_cli import publish, publish_at_the_end, pull, push
from rag.terminal import clean, complain, console

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evals.records import Run
    from evals.run import Progress
    from rag.settings import Settings

app = typer.Typer(help="Measure answers against a dataset of questions.", no_args_is_help=True)
app.command()(score)
app.command()(live)
app.command()(calibrate)
app.command()(push)
app.command()(pull)
app.command()(publish)


@app.callback()
def _options() -> None:
    """Measure answers against a dataset of questions."""


@app.command()
def run(  # noqa: PLR0913, PLR0917 - a command's options
    dataset: Annotated[Path, typer.Argument(help="Questions with expected facts and sources, one JSON object a line.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only the first so many.")] = None,
    split: Annotated[Literal["dev", "test"] | None, typer.Option(help="Ask only this part.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Ask only questions with this tag; repeatable.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Ask each question so often: models vary.")] = 1,
    threads: Annotated[int, typer.Option(min=1, max=64, help="So many questions at once.")] = 1,
    max_cost: Annotated[float | None, typer.Option(min=0, help="Stop when the answers cost so much.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run: what has no answer there is asked.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to keep the run; default: <data_dir>/runs/<time>-<dataset>.json."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> None:
    """Ask every question, keep the run as one file, print its figures."""
    from evals.dataset import load_dataset, select
    from evals.judge import make_judge
    from evals.records import check_writable, load_run
    from evals.run import Plan, evaluate, run_path
    from rag.engine import Engine
    from rag.observe.ship import ship_detached
    from rag.settings import load_settings

    questions = select(load_dataset(dataset), split=split, tags=tag or [], limit=limit)
    plan, earlier = Plan(repeat=repeat, threads=threads, max_cost=max_cost), load_run(resume) if resume else None
    settings = load_settings()
    out = out or resume
    check_writable(out or run_path(settings, "run"))
    engine, judge = Engine.from_settings(settings), make_judge(settings)
    done, path = _kept(evaluate(engine, questions, judge=judge, plan=plan, earlier=earlier), out, settings)
    print_run(done, path, as_json=as_json)
    publish_at_the_end(done, path, settings)
    ship_detached(settings)
    if any(record.error is not None for record in done.records):
        raise typer.Exit(1)


def _kept(events: Iterable[Progress], out: Path | None, settings: Settings) -> tuple[Run, Path]:
    """Keep the run while it grows; returns it whole, and where it is. An error leaves what was asked until then."""
    from evals.records import save_run
    from evals.run import run_path

    done = None
    try:
        for done in _runs(events):
            path = out or run_path(settings, done.id)
            save_run(done, path)
    finally:
        if done and not done.is_whole:
            asked = f"{len(done.records)} of {len(done.cases) * done.repeat}"
            complain(f"the run ends after {asked} questions; go on with --resume {path}")
    assert done  # noqa: S101 - what evaluate() ends with
    return done, path


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
                case Started(questions=questions, done=done):
                    bar.update(task, total=questions, completed=done)
                case Asked(case=case, record=record):
                    failed += record.error is not None
                    told = f"{failed} failed · " if failed else ""
                    bar.update(task, advance=1, description=f"{told}{clean(case.question)[:50]}")
                case Run():
                    yield event
