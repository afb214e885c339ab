"""plumb eval."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from evals.calibrate_cli import calibrate
from evals.cases_cli import app as cases_app
from evals.compare_cli import baseline, compare, gate
from evals.drift_cli import canary_app, drift
from evals.import_cli import app as import_app
from evals.kept_cli import live, print_run, score
from evals.langfuse_cli import publish, publish_at_the_end, pull, push
from evals.report_cli import report
from evals.runs_cli import decisions, runs
from evals.schedule_cli import schedule
from evals.synth_cli import synth

app = typer.Typer(help="Measure answers against a dataset of questions.", no_args_is_help=True)
app.add_typer(cases_app, name="cases")
app.add_typer(import_app, name="import")
app.add_typer(canary_app, name="canary")


@app.callback()
def _options() -> None:
    """Measure answers against a dataset of questions."""


@app.command()
def run(  # noqa: PLR0913, PLR0917 - a command's options
    dataset: Annotated[Path, typer.Argument(help="Questions with expected facts and sources, one JSON object a line.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only the first so many.")] = None,
    split: Annotated[Literal["dev", "test"] | None, typer.Option(help="Ask only this part.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Ask only questions with this tag; repeatable.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Ask with this setting changed; repeatable.")
    ] = None,
    index: Annotated[str, typer.Option(metavar="VERSION", help="Search this version of the index.")] = "",
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
    from evals.progress import kept
    from evals.records import check_replaceable, check_writable, load_run
    from evals.run import Plan, evaluate, run_path
    from rag.engine import Engine
    from rag.observe.ship import ship_detached
    from rag.overrides import read_changes
    from rag.settings import load_settings
    from rag.versions import Versions

    questions = select(load_dataset(dataset), split=split, tags=tag or [], limit=limit)
    plan, earlier = Plan(repeat=repeat, threads=threads, max_cost=max_cost), load_run(resume) if resume else None
    settings = load_settings(changes=read_changes(change or []))
    if index:
        Versions(settings).require(index)
    if out:
        check_replaceable(out)
    out = out or resume
    check_writable(out or run_path(settings, "run"))
    engine, judge = Engine.from_settings(settings, version=index), make_judge(settings)
    done, path = kept(
        evaluate(engine, questions, judge=judge, plan=plan, earlier=earlier),
        out,
        settings,
        again=("plumb", *sys.argv[1:]),
    )
    print_run(done, path, as_json=as_json)
    publish_at_the_end(done, path, settings)
    ship_detached(settings)
    if any(record.error is not None for record in done.records):
        raise typer.Exit(1)


for command in (
    *(runs, compare, gate, baseline, decisions, report, score, live),
    *(calibrate, drift, schedule, push, pull, publish, synth),
):
    app.command()(command)
