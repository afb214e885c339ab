"""plumb traces: what happened, from the local record."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rag.commands.moments import moment, one_of, when
from rag.terminal import clean, complain, console, print_json

if TYPE_CHECKING:
    from rag.observe.breakers import Breaker
    from rag.observe.filter import Filter
    from rag.observe.outbox import Progress
    from rag.observe.rows import TraceRow
    from rag.observe.ship import Shipped
    from rag.observe.spool import Spool
    from rag.types import Trace

NOWHERE = "no destination is set: traces stay here"
# How often new traces are looked for.
FOLLOW_S = 1.0
# So many of the latest are looked at each time.
FOLLOWED = 200


def traces(  # noqa: PLR0913, PLR0917
    what: Annotated[
        str,
        typer.Argument(
            metavar="[ID|status|ship|retry|pull]",
            help="A trace (a few digits are enough), its delivery, or feedback that was given in Langfuse.",
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list.")] = 20,
    rated: Annotated[str, typer.Option(metavar="up|down|any|none", help="Rated so.")] = "",
    unsupported: Annotated[bool, typer.Option("--unsupported", help="Answers with claims without support.")] = False,
    abstained: Annotated[bool, typer.Option("--abstained", help="Questions without an answer.")] = False,
    status: Annotated[str, typer.Option(metavar="ok|failed|abandoned", help="That ended so.")] = "",
    slower_than: Annotated[Optional[float], typer.Option(metavar="SECONDS", help="That took longer.")] = None,  # noqa: UP045
    dearer_than: Annotated[Optional[float], typer.Option(metavar="COST", help="That cost more.")] = None,  # noqa: UP045
    model: Annotated[str, typer.Option(metavar="NAME", help="Of a model so called, or in part.")] = "",
    prompt: Annotated[str, typer.Option(metavar="ID[@VERSION]", help="With this prompt.")] = "",
    index: Annotated[str, typer.Option(metavar="VERSION", help="Of this version of the index.")] = "",
    user: Annotated[Optional[str], typer.Option(metavar="NAME", help="Of this user; '' for no name.")] = None,  # noqa: UP045
    tag: Annotated[str, typer.Option(metavar="TAG", help="With this tag.")] = "",
    since: Annotated[str, typer.Option(metavar="2h|3d|DATE", help="From then on.")] = "",
    until: Annotated[str, typer.Option(metavar="2h|3d|DATE", help="Until then.")] = "",
    text: Annotated[
        str, typer.Option(metavar="WORDS", help="With these words, as they stand, in question or answer.")
    ] = "",
    live: Annotated[Optional[bool], typer.Option("--live/--evals", help="That people asked, or eval runs.")] = None,  # noqa: UP045
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new ones, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --follow, an object a line.")] = False,
    due: Annotated[bool, typer.Option("--due", help="Ship, but not to who failed lately and is left alone.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """List the latest traces, show one, or deliver them."""
    from rag.observe.filter import RATED, STATUS, Filter
    from rag.observe.ship import pull, ship
    from rag.observe.spool import open_spool
    from rag.settings import load_settings

    wanted = Filter(
        # Nobody asked an ingest.
        name="" if live is None else "ask",
        rated=one_of(rated, RATED, option="--rated"),
        unsupported=unsupported,
        abstained=abstained,
        status=one_of(status, STATUS, option="--status"),
        slower_than_s=slower_than,
        dearer_than=dearer_than,
        model=model,
        prompt=prompt,
        index_version=index,
        user=user,
        tag=tag,
        since=moment(since, option="--since"),
        until=moment(until, option="--until"),
        text=text,
        is_live=live,
    )
    settings = load_settings()
    spool = open_spool(settings)
    match what:
        case "" if follow:
            _follow(spool, wanted, limit=limit, as_json=as_json)
        case "":
            _list(spool.traces(wanted, limit=limit), is_filtered=wanted != Filter(), as_json=as_json)
        case "status":
            _status(spool, as_json=as_json)
        case "ship":
            _ship(ship(spool, settings, only_due=due), quiet=quiet, as_json=as_json)
        case "pull":
            found = pull(spool, settings)
            print_json({"answers": found}) if as_json else console().print(f"{found} answers with new feedback")
        case "retry":
            spool.retry_refused()
            _ship(ship(spool, settings), quiet=quiet, as_json=as_json)
        case _:
            _show(spool.trace(what), spool, as_json=as_json)


def _list(rows: Sequence[TraceRow], *, is_filtered: bool, as_json: bool) -> None:
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("Trace", "When", "Took", "Status", "Rated", "What", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*_cells(row)[:-1], Text(_cells(row)[-1]))
    console().print(table if rows else "No traces like this." if is_filtered else "No traces yet.")


def _cells(row: TraceRow) -> tuple[str, ...]:
    rated = {None: "", True: "up", False: "down"}[row.rating]
    took = f"{row.duration_ms / 1000:.1f} s"
    return row.id[:8], when(row.started_at), took, _status_of(row), rated, clean(_what(row))


def _what(row: TraceRow) -> str:
    tags = f"  [{', '.join(row.tags)}]" if row.tags else ""
    return f"{row.name}: {row.question}{tags}"


def _status_of(row: TraceRow) -> str:
    if row.abstained:
        return "abstained"
    is_doubtful = row.supported_share is not None and row.supported_share < 1
    return f"{row.supported_share:.0%} supported" if is_doubtful else row.status


def _follow(spool: Spool, wanted: Filter, *, limit: int, as_json: bool) -> None:
    """The latest traces, oldest first, then each new one as it comes."""
    # A long run is kept when it ends, behind what began after it: more are looked at than are shown.
    latest = spool.traces(wanted, limit=limit + FOLLOWED)
    seen, new = {row.id for row in latest}, latest[:limit]
    while True:
        for row in reversed(new):
            line = json.dumps(asdict(row), ensure_ascii=False) if as_json else "  ".join(_cells(row))
            console().print(clean(line), markup=False, soft_wrap=True)
        time.sleep(FOLLOW_S)
        new = [row for row in spool.traces(wanted, limit=limit + FOLLOWED) if row.id not in seen]
        seen.update(row.id for row in new)


def _show(trace: Trace, spool: Spool, *, as_json: bool) -> None:
    feedback = spool.feedback(trace.id)
    if as_json:
        from rag.views import trace_view

        print_json(trace_view(trace, feedback, spool.signals(trace.id)))
        return
    from rag.commands.trace_tree import tree

    console().print(tree(trace, feedback, spool.signals(trace.id)), soft_wrap=True)


def _status(spool: Spool, *, as_json: bool) -> None:
    found = spool.progress()
    if as_json:
        print_json([_status_view(one) for one in found])
        return
    for line in [line for one in found for line in _progress(one)] or [NOWHERE]:
        console().print(clean(line), markup=False, soft_wrap=True)


def _status_view(one: Progress) -> Mapping[str, object]:
    told = asdict(one)
    # Which keys it failed with is nobody's business.
    del told["breaker"]["mark"]
    return {**told, "state": _state(one.breaker)}


def _progress(one: Progress) -> Iterator[str]:
    counts = f"waiting {one.waiting}, delivered {one.delivered}, refused {one.refused}"
    yield f"{one.destination}: {counts}; {_told(one.breaker)}"
    yield from (f"  refused {count}: {reason or 'with their traces'}" for reason, count in one.reasons.items())
    yield from (f"  put off {count}: {reason}" for reason, count in one.behind.items())
    if one.breaker.failures:
        often = "once" if one.breaker.failures == 1 else f"{one.breaker.failures} times"
        yield f"  failed {often}, last {when(one.breaker.failed_at)}: {one.breaker.reason}"


def _state(breaker: Breaker) -> str:
    if breaker.is_given_up:
        return "given up"
    return "open" if breaker.is_open else "closed"


def _told(breaker: Breaker) -> str:
    if breaker.is_given_up:
        return "given up; other keys, or 'plumb traces ship', try it again"
    if breaker.is_open:
        return f"open until {when(breaker.next_try_at).partition(' ')[2]}"
    return "open, the next try is due" if breaker.failures else "closed"


def _ship(found: Sequence[Shipped], *, quiet: bool, as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in found])
    elif not quiet:
        for one in found:
            counts = f"delivered {one.delivered}, refused {one.refused}, waiting {one.waiting}"
            console().print(f"{one.destination}: {counts}", markup=False)
    reasons = [f"{one.destination}: {one.reason}" for one in found if one.reason] if found else [NOWHERE]
    if reasons and not quiet:
        complain("; ".join(reasons))
        raise typer.Exit(1)
