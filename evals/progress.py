"""A run on the terminal while it is asked, kept in a file as it grows."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from rag.terminal import clean, complain, console

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evals.records import Run
    from evals.run import Progress
    from rag.settings import Settings


def kept(
    events: Iterable[Progress], out: Path | None, settings: Settings, *, again: Sequence[str] = ()
) -> tuple[Run, Path]:
    """Keep the run while it grows; returns it whole, and where it is. An error leaves what was asked until then.

    `again` are the words of the command, if it is one that can go on with a run that ended early: then it is told how.
    Raises InputError, before anything is asked, where `out` is the run of a baseline.
    """
    from evals.baselines import check_no_baseline
    from evals.records import save_run
    from evals.run import run_path

    if out:
        check_no_baseline(settings, out)
    done = None
    try:
        for done in _runs(events):
            path = out or run_path(settings, done.id)
            save_run(done, path)
    finally:
        if done and not done.is_whole:
            asked = f"{len(done.records)} of {len(done.cases) * done.repeat}"
            hint = f"; go on with: {_going_on(again, path)}" if again else ""
            complain(f"the run ends after {asked} questions, kept in {path}{hint}")
    assert done  # noqa: S101 - what evaluate() ends with
    return done, path


def _going_on(words: Sequence[str], path: Path) -> str:
    """The command to type, with all that the one that ended was told: another system would be refused."""
    resume = () if ("--resume", str(path)) in pairwise(words) else ("--resume", str(path))
    return shlex.join((*words, *resume))


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
