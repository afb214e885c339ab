"""plumb eval synth: cases made of what is in the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.terminal import clean, console, number_of, print_json

if TYPE_CHECKING:
    from evals.synth.asked import Ask
    from evals.synth.make import Made
    from rag.case import Case
    from rag.settings import Settings


def synth(
    out: Annotated[Path, typer.Option(help="The new file of cases.")],
    count: Annotated[int, typer.Option(min=1, help="So many that are neither trivial nor unanswerable.")] = 50,
    seed: Annotated[int, typer.Option(help="The same seed draws the same passages.")] = 0,
    rules: Annotated[
        bool, typer.Option("--rules", help="Ask by rules, in English only, though roles.judge names a model.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Make questions of passages in the index, by the model of roles.judge, or by rules, which know English only."""
    from evals.dataset import write_dataset
    from evals.synth.make import synthesize
    from rag.search import Searcher
    from rag.settings import load_settings

    settings = load_settings()
    ask, by = _asker(settings, seed, rules=rules)
    searcher = Searcher.from_settings(settings)
    made: list[Case] = []
    events = synthesize(searcher, ask, count=count, seed=seed)
    write_dataset(out, _drawn(events, made, count), did=f"synth by {by}")
    counts = _counts(made)
    print_json({**counts, "by": by, "path": str(out)}) if as_json else _tell(counts, by, out)


def _asker(settings: Settings, seed: int, *, rules: bool) -> tuple[Ask, str]:
    """What asks, and how it is called."""
    import random
    from functools import partial

    from evals.synth.model import make_writer
    from evals.synth.rules import ask_by_rule

    writer = None if rules else make_writer(settings)
    if writer:
        return writer.ask, ", ".join(settings.roles.candidates("judge"))
    return partial(ask_by_rule, chance=random.Random(seed)), "rules (English only)"  # noqa: S311 - to be repeatable


def _drawn(events: Iterable[Made], made: list[Case], count: int) -> Iterator[Case]:
    """The cases as they come, drawn as progress and kept in `made`."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    screen = console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=count)
        for event in events:
            bar.update(task, completed=event.good, description=clean(event.case.question)[:60])
            made.append(event.case)
            yield event.case


def _counts(made: list[Case]) -> dict[str, int]:
    from evals.synth.sift import TRIVIAL, UNANSWERABLE

    trivial, unanswerable = (sum(tag in case.tags for case in made) for tag in (TRIVIAL, UNANSWERABLE))
    return {
        "cases": len(made),
        "to_use": len(made) - trivial - unanswerable,
        "trivial": trivial,
        "unanswerable": unanswerable,
        "documents": len({source for case in made for source in case.sources}),
    }


def _tell(counts: Mapping[str, int], by: str, out: Path) -> None:
    told = f"{counts['to_use']} to use, {counts['trivial']} trivial, {counts['unanswerable']} unanswerable"
    cases, documents = number_of("question", counts["cases"]), number_of("document", counts["documents"])
    console().print(
        f"{cases} by {clean(by)}: {told}; of {documents}, not confirmed, in {clean(str(out))}",
        markup=False,
        soft_wrap=True,
    )
