"""plumb traces: what happened, from the local record."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rag.commands.feedback import told
from rag.terminal import clean, complain, console, print_json

if TYPE_CHECKING:
    from rag.observe.spool import Spool
    from rag.settings import Settings
    from rag.types import Trace

# What a step is about, in one line; the rest is in --json.
GIST = (
    *("chance", "answerable_at", "alone_at", "output", "chances", "supported_share"),
    *("query", "uri", "chunks", "usage", "cost", "resolved_model"),
)


def traces(
    what: Annotated[
        str,
        typer.Argument(
            metavar="[ID|status|ship|retry]", help="A trace (a few digits are enough), or the delivery to Langfuse."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """List the latest traces, show one, or deliver them to Langfuse."""
    from rag.observe.spool import open_spool
    from rag.settings import load_settings

    settings = load_settings()
    spool = open_spool(settings)
    match what:
        case "":
            _list(spool, limit=limit, as_json=as_json)
        case "status":
            _status(spool, as_json=as_json)
        case "ship":
            _ship(spool, settings, quiet=quiet, as_json=as_json)
        case "retry":
            spool.retry_failed()
            _ship(spool, settings, quiet=quiet, as_json=as_json)
        case _:
            _show(spool.trace(what), spool, as_json=as_json)


def _list(spool: Spool, *, limit: int, as_json: bool) -> None:
    rows = spool.traces(limit=limit)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("Trace", "When", "Took", "Status", "Rated", "What", box=None, pad_edge=False)
    for row in rows:
        rated = {None: "", True: "up", False: "down"}[row.rating]
        status = "abstained" if row.abstained else row.status
        took = f"{row.duration_ms / 1000:.1f} s"
        table.add_row(
            row.id[:8], _when(row.started_at), took, status, rated, Text(clean(f"{row.name}: {row.question}"))
        )
    console().print(table if rows else "No traces yet.")


def _show(trace: Trace, spool: Spool, *, as_json: bool) -> None:
    feedback = spool.feedback(trace.id)
    if as_json:
        print_json({**asdict(trace), "feedback": [asdict(said) for said in feedback]})
        return
    from rich.text import Text

    screen = console()
    status = "abstained" if trace.attributes.get("abstained") else trace.status
    screen.print(f"[bold]{trace.name}[/bold] {trace.id}  {_when(trace.started_at)}  {status}")
    screen.print(Text(clean(f"in:  {trace.input}")))
    screen.print(Text(clean(f"out: {trace.output}")))
    for said in feedback:
        screen.print(Text(clean(f"feedback of {told(said)}")))
    for step in trace.steps:
        took = f"{(step.ended_at - step.started_at) * 1000:,.0f} ms"
        error = f"  {step.error}" if step.error else ""
        screen.print(Text(clean(f"  {step.name:<10} {step.kind:<11} {took:>10}{error}  {_gist(step.attributes)}")))


def _status(spool: Spool, *, as_json: bool) -> None:
    waiting = spool.waiting()
    if as_json:
        print_json(asdict(waiting))
        return
    console().print(f"waiting {waiting.pending}, delivered {waiting.delivered}, refused {waiting.failed}")
    if waiting.last_error:
        console().print(f"last error: {clean(waiting.last_error)}", markup=False)


def _ship(spool: Spool, settings: Settings, *, quiet: bool, as_json: bool) -> None:
    from rag.observe.ship import ship

    shipped = ship(spool, settings)
    if as_json:
        print_json(asdict(shipped))
    elif not quiet:
        console().print(f"delivered {shipped.delivered}, refused {shipped.failed}, waiting {shipped.waiting}")
    if shipped.reason and not quiet:
        complain(shipped.reason)
        raise typer.Exit(1)


def _gist(attributes: object) -> str:
    from rag.views import asked_view

    facts = attributes if isinstance(attributes, dict) else {}
    shown = {key: facts[key] for key in GIST if facts.get(key)}
    hits = [f"{len(facts['hits'])} hits"] if "hits" in facts else []
    asked = [models] if (models := asked_view(facts)) else []
    return "  ".join(asked + hits + [f"{key}={value}" for key, value in shown.items()])[:160]


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
