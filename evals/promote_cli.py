"""plumb promote: a change comes into force through the gate, or not at all."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evals.compare_cli import EXIT_CODES
from evals.langfuse_cli import publish_at_the_end
from evals.together import refuse_beside
from rag.terminal import clean, console, print_json

if TYPE_CHECKING:
    from evals.change import Change
    from evals.gate import Decision
    from evals.promotion import Promotion
    from evals.records import Run
    from evals.run import Plan
    from rag.settings import Settings

# What means nothing where no questions are asked.
WITH_QUESTIONS = ("dataset", "change", "index", "prompt", "repeat", "threads", "dry_run")
HISTORY = ("history", *WITH_QUESTIONS)


def promote(  # noqa: PLR0913, PLR0917 - a command's options
    context: typer.Context,
    dataset: Annotated[
        Path | None, typer.Argument(help="Questions to ask with the change; default: those of the baseline.")
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting to change; repeatable.")
    ] = None,
    index: Annotated[str, typer.Option(metavar="VERSION", help="The version of the index that is to answer.")] = "",
    prompt: Annotated[
        str, typer.Option(metavar="NAME@LABEL", help="The prompt in Langfuse that production is to point to.")
    ] = "",
    repeat: Annotated[int, typer.Option(min=1, help="Ask each question so often.")] = 1,
    threads: Annotated[int, typer.Option(min=1, max=64, help="So many questions at once.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask and decide, change nothing.")] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Take back the last change.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Show what was promoted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring a change into force if it passes the gate: settings, a version of the index, a prompt in Langfuse.

    The questions are asked with the change; exit code 0 and the change is made, 1 the gate failed it, 3 it could not
    tell: then nothing is changed.
    """
    from evals.change import Change
    from evals.run import Plan
    from rag.observe.ship import ship_detached
    from rag.overrides import read_changes
    from rag.settings import load_settings

    settings = load_settings()
    if history or rollback:
        refuse_beside("--rollback" if rollback else "--history", context, HISTORY if rollback else WITH_QUESTIONS)
        _past(settings, rollback=rollback, as_json=as_json)
        return
    wanted = Change(settings=read_changes(change or []), index=index, prompt=prompt)
    run, file, decision = _decided(settings, wanted, dataset, Plan(repeat=repeat, threads=threads))
    done = _made(settings, wanted, run, file, decision) if decision.verdict == "pass" and not dry_run else None
    if as_json:
        print_json({"decision": asdict(decision), "promotion": asdict(done) if done else None})
    else:
        _print(decision, done)
    publish_at_the_end(run, file, settings)
    ship_detached(settings)
    raise typer.Exit(EXIT_CODES[decision.verdict])


def _decided(settings: Settings, change: Change, dataset: Path | None, plan: Plan) -> tuple[Run, Path, Decision]:
    """Ask the questions with the change and put the run before the gate."""
    from evals.baselines import require_baseline
    from evals.change import changed_settings
    from evals.dataset import load_dataset, select
    from evals.decisions import decisions_path, record
    from evals.gate import decide
    from evals.judge import make_judge
    from evals.progress import kept
    from evals.run import evaluate
    from rag.engine import Engine

    name = settings.gate.baseline
    before, candidate = require_baseline(settings, name), changed_settings(change)
    questions = load_dataset(dataset or settings.root / before.dataset.path)
    if not dataset:
        questions = select(questions, **before.dataset.selection)
    engine = Engine.from_settings(candidate, version=change.index)
    run, file = kept(evaluate(engine, questions, judge=make_judge(candidate), plan=plan), None, settings)
    decision = decide(before, run, settings.gate, name=name)
    record(decision, decisions_path(settings))
    return run, file, decision


def _made(settings: Settings, change: Change, run: Run, file: Path, decision: Decision) -> Promotion:
    from evals.promotion import promote as made

    return made(settings, change, run, file, decision)


def _print(decision: Decision, done: Promotion | None) -> None:
    from evals.gate_report import draw_decision

    screen = console()
    # The name of the baseline is this run's by now.
    draw_decision(screen, replace(decision, baseline=decision.baseline_run) if done else decision)
    told = f"in force: {'; '.join(done.change.told)}; 'plumb promote --rollback' takes it back" if done else ""
    screen.print(f"\n{clean(told) or 'nothing was changed'}", markup=False, soft_wrap=True)


def _past(settings: Settings, *, rollback: bool, as_json: bool) -> None:
    from evals.promotion import promotions, roll_back

    shown = [roll_back(settings)] if rollback else promotions(settings)
    if as_json:
        print_json([asdict(one) for one in shown])
        return
    for one in shown:
        console().print(clean(f"{one.at}  {'; '.join(one.change.told)}  {one.state}"), markup=False, soft_wrap=True)
    if not shown:
        console().print("Nothing was promoted yet.")
