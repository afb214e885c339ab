"""plumb eval score and live: figures of answers that are there, without asking again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evals.compare_cli import Name
from rag.commands.moments import moment
from rag.terminal import console, print_json

if TYPE_CHECKING:
    from evals.records import Run


def score(
    run: Annotated[str, typer.Argument(help=f"The run: {Name}.")],
    judge: Annotated[
        bool, typer.Option("--judge", help="Have the judge of roles.judge grade its answers anew.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where to keep it; default: in its place.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> None:
    """Score a kept run with the metrics of today; no question is asked again."""
    from evals.baselines import check_no_baseline, find_file
    from evals.metrics import score as scored
    from evals.records import check_replaceable, load_run, save_run
    from evals.regrade import regrade
    from rag.settings import load_settings

    settings = load_settings()
    found = find_file(settings, run)
    path = out or found
    check_no_baseline(settings, path)
    again = scored(load_run(found))
    if judge:
        again = regrade(again, settings)
    if out:
        check_replaceable(out)
    save_run(again, path)
    print_run(again, path, as_json=as_json)


def live(
    since: Annotated[str, typer.Option(metavar="2h|3d|DATE", help="From then on.")] = "7d",
    sample: Annotated[int, typer.Option(min=1, help="So many of the answers, drawn at random.")] = 200,
    out: Annotated[
        Path | None, typer.Option(help="Where to keep the run; default: <data_dir>/runs/<time>-live.json.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> None:
    """Score a sample of the answers that users got, as a run; nothing is asked."""
    from evals.live import live_run
    from evals.records import check_replaceable, save_run
    from evals.run import run_path
    from rag.observe.spool import open_spool
    from rag.settings import load_settings

    settings = load_settings()
    if out:
        check_replaceable(out)
    found = live_run(open_spool(settings), settings, since=moment(since, option="--since"), sample=sample)
    path = out or run_path(settings, found.id)
    save_run(found, path)
    print_run(found, path, as_json=as_json)


def print_run(run: Run, path: Path, *, as_json: bool) -> None:
    """The figures of a run that is kept there, or all of it as JSON."""
    from evals.records import plain_run
    from evals.report import draw_run

    if as_json:
        print_json({**plain_run(run), "path": str(path)})
        return
    screen = console()
    draw_run(screen, run)
    screen.print(f"\nkept in {path}", markup=False, soft_wrap=True)
