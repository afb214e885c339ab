"""plumb eval report: a run as one page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.terminal import console, print_json

if TYPE_CHECKING:
    from evals.compare import Comparison
    from evals.gate import Decision
    from evals.records import Run
    from rag.settings import Settings


def report(
    run: Annotated[
        str, typer.Argument(help="The run: a file, an id or its beginning, 'latest', a baseline.")
    ] = "latest",
    against: Annotated[
        str, typer.Option(metavar="RUN", help="Show how it differs from this one; default: the baseline of the gate.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Where to write it; default: beside the kept runs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it is, and of what, as JSON.")] = False,
) -> None:
    """Write a run as one HTML page with plots: figures, differences, cases that turned, every answer."""
    from evals.baselines import baselines, find_run
    from evals.page import report_page
    from evals.run import run_path
    from evals.stored import check_replaceable
    from rag.durable import PRIVATE, replace_text
    from rag.errors import StoreError
    from rag.settings import load_settings

    settings = load_settings()
    name = against or (settings.gate.baseline if settings.gate.baseline in baselines(settings) else "")
    found = find_run(settings, run)
    comparison, decision = _held_against(found, name, settings, is_asked=bool(against))
    page = report_page(found, comparison, decision)
    file = out or run_path(settings, found.id).with_suffix(".html")
    check_replaceable(file, lambda line: line.lower().startswith(b"<!doctype html"), what="a page")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, page, mode=PRIVATE)
    except OSError as error:
        raise StoreError(
            f"can't write {file}: {error.strerror}", expected="a place for the page", remedy="name another with --out"
        ) from None
    if as_json:
        other = comparison.first.run_id if comparison else None
        print_json({"run": found.id, "against": other, "path": str(file)})
        return
    console().print(f"written to {file}", markup=False, soft_wrap=True)


def _held_against(
    found: Run, name: str, settings: Settings, *, is_asked: bool
) -> tuple[Comparison | None, Decision | None]:
    """What the other run tells of this one. Where nobody asked for it, runs with nothing in common tell nothing."""
    from evals.baselines import find_run
    from evals.compare import compare
    from evals.gate import decide
    from rag.errors import InputError

    other = find_run(settings, name) if name else None
    if other is None or other.id == found.id:
        return None, None
    try:
        return compare(other, found), decide(other, found, settings.gate, name=name)
    except InputError:
        if is_asked:
            raise
        return None, None
