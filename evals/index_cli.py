"""plumb index compare: which of two versions finds more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.terminal import console, print_json


def compare(
    dataset: Annotated[Path, typer.Argument(help="Questions with expected sources, one JSON object a line.")],
    first: Annotated[str, typer.Argument(help="A version of the index.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Search with both versions and print the paired difference; no chat model is asked."""
    from dataclasses import asdict

    from evals.dataset import load_dataset
    from evals.paired import compare as paired
    from rag.search import Searcher
    from rag.settings import load_settings
    from rag.versions import Versions

    settings = load_settings()
    questions = load_dataset(dataset)
    for name in (first, second):
        Versions(settings).require(name)
    one, other = (Searcher.from_settings(settings, version=name) for name in (first, second))
    differences = paired(one, other, questions.cases)
    if as_json:
        print_json([asdict(difference) for difference in differences])
        return
    for d in differences:
        console().print(
            f"{d.score:16} {first} {d.first:.3f}  {second} {d.second:.3f}  difference {d.difference:+.3f}"
            f" (95 % {d.low:+.3f} to {d.high:+.3f}); better on {d.better}, worse on {d.worse} of {d.cases}",
            markup=False,
        )
