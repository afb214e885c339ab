"""plumb eval calibrate: how far the judge agrees with people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.terminal import clean, console, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evals.calibration import Calibration, Graded


def calibrate(
    labelled: Annotated[Path, typer.Argument(help="Answers that people judged, one JSON object a line.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Grade only the first so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Measure how far the judge of roles.judge agrees with people, and keep it for the runs that it grades."""
    from dataclasses import asdict, replace

    from evals.calibration import calibrate as graded
    from evals.judge import make_judge
    from evals.judges import keep
    from evals.labelled import load_labelled
    from rag.errors import ConfigError
    from rag.settings import load_settings

    settings, judged = load_settings(), load_labelled(labelled)
    judge = make_judge(settings)
    if judge is None:
        raise ConfigError("no judge is set", expected="a model for roles.judge", remedy="name one in plumbline.toml")
    found = _followed(graded(judge, replace(judged, items=judged.items[:limit])))
    keep(settings, found.judge)
    print_json(asdict(found)) if as_json else _print(found)


def _followed(events: Iterable[Graded | Calibration]) -> Calibration:
    """Draw how it goes on; what it comes to."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from evals.calibration import Graded

    screen = console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=None)
        for event in events:
            if not isinstance(event, Graded):
                return event
            bar.update(task, completed=event.done, total=event.of)
    raise RuntimeError("the grading ended without an outcome")


def _print(found: Calibration) -> None:
    from evals.report import judge_told
    from rag.llm.price import cost_text

    screen = console()
    screen.print(clean(judge_told(found.judge)), markup=False, soft_wrap=True)
    failed = f"; {found.failed} could not be graded" if found.failed else ""
    screen.print(clean(f"graded by {', '.join(found.models)}, cost {cost_text(found.cost)}{failed}"), markup=False)
