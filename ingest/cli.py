"""plumb ingest."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.terminal import clean, complain, console, print_json

if TYPE_CHECKING:
    from ingest.progress import Progress, Report


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Bring documents into the index: new, changed and vanished ones; the rest is skipped."""
    from ingest.pipeline import ingest as run
    from rag.observe.ship import ship_detached
    from rag.settings import load_settings

    settings = load_settings()
    report = follow(run(paths, settings=settings))
    if as_json:
        print_json(asdict(report))
    else:
        print_report(report)
    ship_detached(settings)
    if report.failed:
        raise typer.Exit(1)


def follow(events: object) -> Report:
    """Draw a run as it goes on; its report."""
    from collections.abc import Iterator
    from typing import cast

    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from ingest.progress import Document, Report, Started, Waiting

    screen = console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=None)
        for event in cast("Iterator[Progress]", events):
            match event:
                case Waiting(at_most_s=seconds):
                    complain(f"another run fills this index; waiting for it, {seconds:g} s at most")
                case Started(files=files, version=version, differs=differs):
                    if differs:
                        complain(
                            f"version {version} of the index was made otherwise ({'; '.join(differs)}) and is filled as"
                            " it was made; 'plumb index build' makes another beside it"
                        )
                    bar.update(task, total=files)
                case Document(outcome="failed", reason=reason, uri=uri):
                    complain(f"skipped {uri}: {reason}")
                    bar.advance(task)
                case Document(uri=uri):
                    bar.update(task, advance=1, description=clean(uri))
                case Report():
                    return event
    raise RuntimeError("the run ended without a report")


def print_report(report: Report) -> None:
    """The report in two lines."""
    counts = ("added", "replaced", "unchanged", "removed", "failed")
    shown = ", ".join(f"{getattr(report, name)} {name}" for name in counts if getattr(report, name)) or "nothing to do"
    cached = f", {report.chunks - report.embedded} vectors known already" if report.chunks > report.embedded else ""
    console().print(
        f"{shown}; {report.chunks} chunks written{cached}, {report.total_chunks} in the index, {report.seconds:.1f} s"
    )
    if report.ignored:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.ignored.items())
        console().print(f"not read, of other kinds: {clean(kinds)}", markup=False)
