"""plumb triage: bad answers, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from rag.commands.moments import moment, one_of
from rag.terminal import clean, complain, console, print_json

if TYPE_CHECKING:
    from rag.triage import Complaint


def triage(
    trace: Annotated[str, typer.Argument(metavar="[ID]", help="A bad answer's trace, to decide on it.")] = "",
    state: Annotated[str, typer.Option(metavar="new|case|fixed|wontfix", help="What is decided.")] = "",
    since: Annotated[str, typer.Option(metavar="2h|3d|DATE", help="From then on.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also what is decided.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List bad answers, the most frequent kind first and the same complaint once, or decide on one."""
    from rag.embed import make_embedder
    from rag.observe.spool import open_spool
    from rag.settings import load_settings
    from rag.triage import DECISIONS, left_out, queue

    settings = load_settings()
    spool, wanted = open_spool(settings), one_of(state, DECISIONS, option="--state") if state else None
    from_then = moment(since, option="--since")
    found = queue(spool, embed=make_embedder(settings).embed, since=from_then)
    if trace:
        mine = _complaint_of(found, spool.trace(trace).id)
        if wanted:
            spool.decide(mine.traces, wanted)
        shown = [replace(mine, state=wanted or mine.state)]
    else:
        shown = [one for one in found if (one.state == wanted if wanted else everything or one.state == "new")]
    _show(shown, as_json=as_json)
    if not trace and (older := left_out(spool, since=from_then)):
        # Beside what is printed, which may be JSON.
        complain(f"{older:,} older bad answers that nobody decided on are not looked at: decide on these first")


def _complaint_of(found: Sequence[Complaint], trace_id: str) -> Complaint:
    from rag.errors import InputError

    for one in found:
        if trace_id in one.traces:
            return one
    raise InputError(
        f"trace {trace_id} is no complaint",
        expected="an answer that somebody found fault with",
        remedy="see 'plumb triage --all'",
    )


def _show(found: Sequence[Complaint], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        console().print(clean(_line(one)), markup=False, soft_wrap=True)
        answer = [f"answered: {one.answer}"] if one.answer else []
        right = [f"right would be: {one.correction}"] if one.correction else []
        for said in dict.fromkeys([*answer, *one.comments, *right]):
            console().print(clean(f"    {' '.join(said.split())}"), markup=False, soft_wrap=True)
    if not found:
        console().print("Nothing to decide.")


def _line(one: Complaint) -> str:
    from rag.triage import NO_TEXT

    times = f"{len(one.traces)} x " if len(one.traces) > 1 else ""
    return f"{one.traces[0][:8]}  {one.state:<7}  {one.kind:<14}  {times}{' '.join(one.question.split()) or NO_TEXT}"
