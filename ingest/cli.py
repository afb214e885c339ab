"""plumb ingest."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeVar

import typer

from rag.terminal import clean, complain, console, in_line, number_of, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ingest.library import Library
    from ingest.pipeline import Engine
    from ingest.plan import Plan
    from ingest.progress import Document, Progress, Report, Started, Waiting
    from rag.settings import Settings

    Event = Waiting | Started | Document

# Columns of the progress line.
BAR_WIDTH = 20
NUMBER_WIDTH = 9

# What a run ends with: its report, or its plan.
End = TypeVar("End", "Report", "Plan")


def ingest(
    places: Annotated[
        list[str], typer.Argument(help="Files, folders, patterns, web pages, sitemaps, buckets: see docs/sources.md.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done, how long it takes and what it costs.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on whenever something changes; Ctrl-C ends it.")] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="'ray' spreads the work over a Ray cluster: see docs/scaling.md.")
    ] = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Bring documents into the index: new, changed and vanished ones; the rest is skipped."""
    from ingest.plan import plan
    from rag.observe.ship import ship_detached
    from rag.settings import load_settings

    settings = load_settings()
    if dry_run:
        planned = follow(plan(places, settings=settings))
        print_json(asdict(planned)) if as_json else _print_plan(planned)
        return
    if watch:
        _watch(places, settings, engine, as_json=as_json)
        return
    report = filled(places, settings, engine)
    print_json(asdict(report)) if as_json else print_report(report)
    ship_detached(settings)
    if report.failed:
        raise typer.Exit(1)


def filled(
    places: Sequence[str], settings: Settings, engine: Engine, *, version: str = "", is_again: bool = False
) -> Report:
    """Fill the index, or one of its versions, drawing how it goes on; `is_again` tells less."""
    from ingest.pipeline import ingest as run

    events = run(places, settings=settings, version=version, engine=engine)
    # Ray tells of lost workers on the standard output, which is for the report.
    with redirect_stdout(sys.stderr):
        return follow(map(_without_difference, events) if is_again else events)


def _without_difference(event: Progress) -> Progress:
    from ingest.progress import Started

    return replace(event, differs=()) if isinstance(event, Started) else event


def _watch(places: Sequence[str], settings: Settings, engine: Engine, *, as_json: bool) -> None:
    """Fill the index at every change until Ctrl-C; what fails is told and tried again at the next one."""
    import threading

    from ingest.sources.watch import changes
    from rag.errors import ConfigError, PlumbError
    from rag.observe.ship import ship_detached

    stop = threading.Event()
    complain(f"following {', '.join(places)}; Ctrl-C ends it")
    try:
        for at, _ in enumerate(changes(places, settings=settings, stop=stop)):
            try:
                report = filled(places, settings, engine, is_again=at > 0)
            except ConfigError:
                raise
            except PlumbError as error:
                complain(str(error))
                continue
            if report.added or report.replaced or report.removed:
                print_json(asdict(report)) if as_json else print_report(report)
                ship_detached(settings)
    except KeyboardInterrupt:
        stop.set()


def follow(events: Iterable[Event | End]) -> End:
    """Draw a run as it goes on; what it ends with. Ctrl-C and SIGTERM end it with a word."""
    import signal

    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        return _followed(events)
    except (KeyboardInterrupt, SystemExit) as end:
        by = "SIGTERM" if isinstance(end, SystemExit) else "Ctrl-C"
        complain(f"ended by {by}; what is finished stays, run it again to go on from there")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _followed(events: Iterable[Event | End]) -> End:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    from ingest.progress import Document, Started, Waiting

    screen = console(stderr=True)
    # The numbers are always whole; a long name ends where the line does.
    whole = Column(no_wrap=True, min_width=NUMBER_WIDTH)
    rest = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns = (
        BarColumn(BAR_WIDTH, table_column=Column(min_width=BAR_WIDTH)),
        MofNCompleteColumn(table_column=whole),
        TimeRemainingColumn(table_column=whole),
        TextColumn("{task.description}", markup=False, table_column=rest),
    )
    counts = _Counts()
    with Bar(*columns, console=screen, expand=True, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=None)
        for event in events:
            match event:
                case Waiting(at_most_s=seconds):
                    _tell_waiting(seconds)
                case Started():
                    _tell_difference(event)
                    bar.update(task, total=event.documents)
                case Document():
                    if event.outcome == "failed":
                        complain(f"skipped {event.uri}: {event.reason}")
                    for warning in event.warnings:
                        complain(f"{event.uri}: {warning}")
                    counts.add(event)
                    bar.update(task, advance=1, description=counts.line(event))
                case end:
                    return end
    raise RuntimeError("the run ended without a report")


@contextmanager
def turn(library: Library) -> Iterator[None]:
    """The right to change a version of the index; says so when it has to wait for it."""
    wait_s = library.settings.ingest.wait_s
    if not library.turn.is_free():
        _tell_waiting(wait_s)
    with library.turn.taken(wait_s=wait_s):
        yield


def _tell_waiting(seconds: float) -> None:
    complain(f"another run fills this index; waiting for it, {seconds:g} s at most")


class _Counts:
    """The rate and the failures so far, for the progress line."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._chunks = 0
        self._failed = 0

    def add(self, document: Document) -> None:
        self._chunks += document.chunks if document.outcome in ("added", "replaced") else 0
        self._failed += document.outcome == "failed"

    def line(self, document: Document) -> str:
        rate = self._chunks / max(time.monotonic() - self._began, 0.001)
        failed = f" · {self._failed} failed" if self._failed else ""
        return f"{rate:.0f} chunks/s{failed} · {in_line(document.uri)}"


def _tell_difference(started: Started) -> None:
    if started.differs:
        complain(
            f"version {started.version} of the index was made otherwise ({'; '.join(started.differs)}) and is filled as"
            " it was made; 'plumb index build' makes another beside it"
        )


def _print_plan(planned: Plan) -> None:
    counts = ("added", "replaced", "unchanged", "removed", "failed")
    shown = ", ".join(f"{getattr(planned, name)} {name}" for name in counts if getattr(planned, name))
    console().print(f"would be: {shown or 'nothing to do'}")
    known = planned.chunks - planned.chunks_to_embed
    console().print(
        f"{number_of('chunk', planned.chunks)} to write, {planned.chunks_to_embed:,} of them to embed"
        f" ({number_of('token', planned.tokens_to_embed)}), {number_of('vector', known)} known already"
    )
    took = "unknown for a model on a server" if planned.seconds is None else f"about {planned.seconds:,.0f} s"
    price = f"; price {planned.price:,.4f}" if planned.price else ""
    console().print(f"time to embed: {took}{price}")
    _print_left_out(planned)


def print_report(report: Report) -> None:
    """The report in a few lines."""
    counts = ("added", "replaced", "unchanged", "removed", "failed")
    shown = ", ".join(f"{getattr(report, name)} {name}" for name in counts if getattr(report, name)) or "nothing to do"
    known = report.chunks - report.embedded
    cached = f", {number_of('vector', known)} known already" if known else ""
    written = f"{number_of('chunk', report.chunks)} written{cached}, {report.total_chunks:,} in the index"
    console().print(f"{shown}; {written}, {report.seconds:.1f} s")
    _print_left_out(report)
    for rule in report.unmatched:
        told = f"no document of the index is meant by the rule '{clean(rule)}' of ingest.labels: it labels nothing"
        console().print(told, style="yellow", markup=False)
    if report.failed:
        console().print(
            "'plumb library failed' lists them; they are read again once they, their password or a limit changed",
            markup=False,
        )


def _print_left_out(end: Plan | Report) -> None:
    if end.ignored:
        kinds = ", ".join(f"{count} {kind}" for kind, count in end.ignored.items())
        console().print(f"not read, of other kinds: {clean(kinds)}", markup=False)
    for extra, documents in end.missing_extras.items():
        told = f"{documents} of them can be read with the extra '{extra}': pip install 'plumbline-rag[{extra}]'"
        console().print(told, markup=False)
