"""plumb export: what people said of answers, as training data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.commands.moments import moment, one_of
from rag.terminal import clean, complain, console, number_of, print_json

if TYPE_CHECKING:
    from evals.export import Made
    from rag.observe.mask import Mask
    from rag.settings import Settings


def export(  # noqa: PLR0913, PLR0917 - a command's options
    kind: Annotated[
        str,
        typer.Argument(
            metavar="chat|pairs", help="Accepted answers for fine-tuning, or pairs of a better and a worse one."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The file, in OpenAI's JSON Lines format.")],
    split: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the lines to learn from; the rest goes to FILE-test.")
    ] = 1.0,
    since: Annotated[str, typer.Option(metavar="2h|3d|DATE", help="Of answers from then on.")] = "",
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="Only answers whose triage state is 'case' or 'fixed'.")
    ] = False,
    cited: Annotated[
        bool, typer.Option("--cited", help="No corrections without the [1] of a passage: people write few.")
    ] = False,
    restricted: Annotated[
        bool, typer.Option("--restricted", help="Also answers from passages that not everyone may read.")
    ] = False,
    no_mask: Annotated[bool, typer.Option("--no-mask", help="Leave mail addresses, numbers and keys in.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Write answers that people accepted or corrected as training data, with where each line comes from."""
    from evals.export import KINDS, held_out_path, make, write
    from evals.judged import Wanted, find_judged
    from rag.observe.spool import open_spool
    from rag.settings import load_settings

    chosen = one_of(kind, KINDS, option="the kind", remedy="see docs/export.md")
    settings = load_settings()
    wanted = Wanted(
        mask=str if no_mask else _mask(settings),
        since=moment(since, option="--since"),
        confirmed=confirmed,
        restricted=restricted,
        right=_confirmed(settings),
    )
    made = make(chosen, find_judged(open_spool(settings), wanted), share=split, cited=cited)
    files = write(made, out, is_split=split < 1)
    if split == 1 and (stale := held_out_path(out)).exists():
        complain(f"{clean(str(stale))} is of an earlier export: what it holds out may be in {clean(str(out))} now")
    if as_json:
        print_json(_counts(made, files))
        return
    _print(made, files)


def _confirmed(settings: Settings) -> dict[str, str]:
    """The right answers of the confirmed cases of the project, by the trace that each was made of."""
    from evals.cases import held

    cases = held(settings.root / settings.ui.cases)
    return {case.then.trace_id: case.expected for case in cases if case.then and case.confirmed and case.expected}


def _mask(settings: Settings) -> Mask:
    """The mask of the settings, whatever traces keep."""
    from rag.observe.content import content

    return content(settings.trace.model_copy(update={"content": "masked"})).mask


def _counts(made: Made, files: list[Path]) -> dict[str, object]:
    return {
        "lines": len(made.learn),
        "held_out": len(made.held_out),
        "taken": made.taken,
        "left_out": made.left_out,
        "uncited": made.uncited,
        "files": [str(file) for file in files],
    }


def _print(made: Made, files: list[Path]) -> None:
    screen = console()
    held_out = f", {number_of('line', len(made.held_out))} held out" if len(files) > 2 else ""
    screen.print(f"{number_of('line', len(made.learn))}{held_out}", markup=False)
    for title, counts in (("taken", made.taken), ("left out", made.left_out)):
        for reason, number in counts.items():
            screen.print(f"{title}: {number:,} {reason}", markup=False)
    if made.uncited:
        told = f"{number_of('correction', made.uncited)} without citations, as people write them"
        screen.print(f"{told}: a model may learn to leave its own out; --cited takes none of these", markup=False)
    for file in files:
        screen.print(f"written to {clean(str(file))}", markup=False, soft_wrap=True)
