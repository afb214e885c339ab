"""plumb eval push, pull and publish: datasets and runs in Langfuse."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evals.compare_cli import Name
from rag.terminal import clean, complain, console, number_of, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evals.dataset_server import DatasetServer
    from evals.publish import Published
    from evals.records import Run
    from evals.stepping import Stepped
    from rag.settings import Settings

# What a run may wait for Langfuse at its end.
AT_THE_END_S = 30.0
AS_JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def push(
    dataset: Annotated[Path, typer.Argument(metavar="FILE", help="The dataset; there it is called like the file.")],
    ours: Annotated[bool, typer.Option("--ours", help="Of what changed on both sides, this side's.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Write to Langfuse what changed in a dataset since both were in step; exit code 1 where both sides changed."""
    from evals.stepping import push as pushed
    from rag.observe.spool import open_spool
    from rag.settings import load_settings

    settings = load_settings()
    with _server(settings) as server:
        done = pushed(dataset, server, open_spool(settings), folder=settings.data_path, ours=ours)
    _tell(done, "written there", "archived there", "plumb eval pull", as_json=as_json)


def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset in Langfuse.")],
    folder: Annotated[Path, typer.Option(help="Where NAME.jsonl is, or is to be.")] = Path(),
    theirs: Annotated[bool, typer.Option("--theirs", help="Of what changed on both sides, Langfuse's.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Write to a file what changed in Langfuse since both were in step; exit code 1 where both sides changed."""
    from evals.stepping import pull as pulled
    from rag.errors import InputError
    from rag.settings import load_settings

    settings, file = load_settings(), folder / f"{name}.jsonl"
    if file.parent != folder or file.stem != name:
        raise InputError(f"no file can be called '{name}'", expected="a dataset whose name has no slash in it")
    with _server(settings) as server:
        done = pulled(file, server, folder=settings.data_path, theirs=theirs)
    _tell(done, "written here", "dropped here: archived there", "plumb eval push", as_json=as_json)


def publish(
    run: Annotated[str, typer.Argument(help=f"The run: {Name}.")],
    as_json: AS_JSON = False,
) -> None:
    """Show a run in Langfuse, as an experiment on its dataset; doing it again changes nothing."""
    from dataclasses import asdict

    from evals.baselines import find_file
    from evals.publish import publish as published
    from evals.records import load_run
    from rag.observe.outbox import RATED
    from rag.observe.ship import ship
    from rag.observe.spool import open_spool
    from rag.settings import load_settings

    settings = load_settings()
    kept, spool = load_run(find_file(settings, run)), open_spool(settings)
    with _server(settings) as server:
        done = published(kept, server, spool)
    shipped = next(each for each in ship(spool, settings) if each.destination == RATED)
    if as_json:
        print_json({**asdict(done), "waiting": shipped.waiting})
        return
    _tell_published(done)
    if shipped.waiting:
        complain(f"{shipped.waiting} traces and ratings wait: {shipped.reason}; 'plumb traces ship' delivers them")


def publish_at_the_end(run: Run, path: Path, settings: Settings) -> None:
    """With Langfuse's keys, make a run an experiment there; what fails is told, and no reason to fail."""
    from rag.errors import PlumbError
    from rag.observe.account import account

    if account(settings) is None:
        return
    from evals.publish import publish as published
    from rag.observe.spool import open_spool

    try:
        with _server(settings, budget_s=AT_THE_END_S) as server:
            published(run, server, open_spool(settings))
    except PlumbError as error:
        complain(f"the run is not shown in Langfuse: {error}; then 'plumb eval publish {path}'")


@contextmanager
def _server(settings: Settings, *, budget_s: float | None = None) -> Iterator[DatasetServer]:
    from evals.dataset_server import DatasetServer
    from rag.errors import ConfigError
    from rag.observe.account import account

    target = account(settings)
    if target is None:
        keys = f"{settings.langfuse.public_key_env} and {settings.langfuse.secret_key_env}"
        raise ConfigError("no Langfuse keys are set", expected="a project on a server", remedy=f"set {keys}")
    with DatasetServer(target, budget_s=budget_s) as server:
        yield server


def _tell(done: Stepped, written: str, dropped: str, other: str, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json(asdict(done))
    else:
        _print(done, written, dropped, other)
    if done.clashing:
        raise typer.Exit(1)


def _print(done: Stepped, written: str, dropped: str, other: str) -> None:
    screen = console()
    screen.print(f"{clean(done.dataset)}: {number_of('case', len(done.written))} {written}", markup=False)
    for told, ids in (
        (dropped, done.dropped),
        ("changed on both sides, left as they are", done.clashing),
        (f"changed on the other side, see '{other}'", done.waiting),
        ("kept here, as not everyone may read them", done.withheld),
    ):
        if ids:
            screen.print(f"{told}: {_listed(ids)}", markup=False, soft_wrap=True)
    for reason in done.unusable:
        screen.print(clean(f"left out: {reason}"), markup=False, soft_wrap=True)


def _listed(ids: Sequence[str]) -> str:
    return clean(", ".join(ids[:20]) + (f" and {len(ids) - 20} more" if len(ids) > 20 else ""))


def _tell_published(done: Published) -> None:
    screen = console()
    named = ", ".join(done.experiments) or "no experiment"
    answers, scores = number_of("answer", done.answers), number_of("score", done.scores)
    screen.print(clean(f"{done.dataset}: {named}, {answers}, {scores}"), markup=False, soft_wrap=True)
    for reason, number in done.left_out.items():
        screen.print(f"left out: {number:,} {reason}", markup=False)
