"""plumb eval report: a run as one page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.terminal import console


def report(
    run: Annotated[
        str, typer.Argument(help="The run: a file, an id or its beginning, 'latest', a baseline.")
    ] = "latest",
    against: Annotated[
        str, typer.Option(metavar="RUN", help="Show how it differs from this one; default: the baseline of the gate.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Where to write it; default: beside the kept runs.")] = None,
) -> None:
    """Write a run as one HTML page with plots: figures, differences, cases that turned, every answer."""
    from evals.baselines import baselines, find_run
    from evals.compare import compare
    from evals.gate import decide
    from evals.page import report_page
    from evals.run import run_path
    from rag.durable import PRIVATE, replace_text
    from rag.errors import StoreError
    from rag.settings import load_settings

    settings = load_settings()
    name = against or (settings.gate.baseline if settings.gate.baseline in baselines(settings) else "")
    found, other = find_run(settings, run), find_run(settings, name) if name else None
    is_other = other is not None and other.id != found.id
    page = report_page(
        found,
        compare(other, found) if other and is_other else None,
        decide(other, found, settings.gate, name=name) if other and is_other else None,
    )
    file = out or run_path(settings, found.id).with_suffix(".html")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, page, mode=PRIVATE)
    except OSError as error:
        raise StoreError(
            f"can't write {file}: {error.strerror}", expected="a place for the page", remedy="--out"
        ) from None
    console().print(f"written to {file}", markup=False, soft_wrap=True)
