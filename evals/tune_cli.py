"""plumb tune: weights and depths for a team's own questions."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.terminal import clean, console, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evals.tune import Choice, Tried, Tuning


def tune(
    dataset: Annotated[Path, typer.Argument(help="Questions with expected sources, one JSON object a line.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what was found and write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Find the search's weights and depth for your questions; they are written to the settings if the gain is real."""
    from evals.dataset import load_dataset
    from evals.tune import tune as tried
    from rag.search import Searcher
    from rag.settings import load_settings

    settings = load_settings()
    tuning = _followed(tried(Searcher.from_settings(settings), load_dataset(dataset).cases))
    written = _write(tuning.best, settings.root) if tuning.is_real and not dry_run else None
    if as_json:
        print_json({**asdict(tuning), "is_real": tuning.is_real, "written_to": written})
        return
    _print(tuning)
    if written:
        console().print(f"Written to {clean(str(written))}", markup=False)


def _followed(events: Iterable[Tried | Tuning]) -> Tuning:
    """Draw how it goes on; what it comes to."""
    from rich.progress import Progress

    from evals.tune import Tried

    screen = console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("trying", total=None)
        for event in events:
            if not isinstance(event, Tried):
                return event
            bar.update(task, completed=event.done, total=event.of)
    raise RuntimeError("the tuning ended without an outcome")


def _print(tuning: Tuning) -> None:
    gain = tuning.gain
    now = asdict(tuning.now)
    for name, value in asdict(tuning.best).items():
        console().print(f"retrieve.{name:14} {now[name]:g} now, {value:g} best", markup=False)
    console().print(
        f"{gain.score} {gain.first:.3f} now, {gain.second:.3f} as chosen on other questions: {gain.difference:+.3f}"
        f" (95 % {gain.low:+.3f} to {gain.high:+.3f}); better on {gain.better}, worse on {gain.worse} of {gain.cases}",
        markup=False,
    )
    if not tuning.is_real:
        console().print("Nothing is better than what is in force by more than chance: the settings stay as they are.")


def _write(choice: Choice, root: Path) -> Path:
    """Put the choice into the config file; the file."""
    from rag.overrides import write_changes
    from rag.settings import CONFIG_NAME, find_config

    file = find_config() or root / CONFIG_NAME
    write_changes(file, {f"retrieve.{name}": value for name, value in asdict(choice).items()})
    return file
