"""plumb triage: bad answers, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from rag.commands.moments import moment, one_of
from rag.terminal import clean, console, print_json

if TYPE_CHECKING:
    from rag.observe.spool import Spool
    from rag.settings import Settings
    from rag.triage import Complaint

MOST = 1_000


def triage(
    trace: Annotated[str, typer.Argument(metavar="[ID]", help="A bad answer's trace, to decide on it.")] = "",
    state: Annotated[str, typer.Option(metavar="new|case|fixed|wontfix", help="What is decided.")] = "",
    since: Annotated[str, typer.Option(metavar="2h|3d|DATE", help="From then on.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also what is decided.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List bad answers, the most frequent kind first and the same complaint once, or decide on one."""
    from rag.observe.spool import open_spool
    from rag.settings import load_settings
    from rag.triage import DECISIONS

    settings = load_settings()
    spool, wanted = open_spool(settings), one_of(state, DECISIONS, option="--state") if state else None
    found = queue(spool, settings, since=moment(since, option="--since"))
    if trace:
        trace_id = spool.trace(trace).id
        mine = [one for one in found if trace_id in one.traces]
        if wanted:
            spool.decide(mine[0].traces if mine else (trace_id,), wanted)
        shown = [replace(one, state=wanted or one.state) for one in mine]
    else:
        shown = [one for one in found if (one.state == wanted if wanted else everything or one.state == "new")]
    _show(shown, as_json=as_json)


def queue(spool: Spool, settings: Settings, *, since: float | None) -> list[Complaint]:
    """The complaints about the latest bad answers, rated down or not supported by the documents."""
    from rag.embed import make_embedder
    from rag.observe.filter import Filter
    from rag.triage import complaints

    bad = [
        *spool.traces(Filter(name="ask", rated="down", since=since), limit=MOST),
        *spool.traces(Filter(name="ask", unsupported=True, rated="none", since=since), limit=MOST),
    ]
    rows = sorted(bad, key=lambda row: -row.started_at)
    said = {row.id: spool.feedback(row.id) for row in rows if row.rating is not None}
    if not rows:
        return []
    return complaints(rows, said=said, states=spool.decided(), embed=make_embedder(settings).embed)


def _show(found: Sequence[Complaint], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        console().print(clean(_line(one)), markup=False, soft_wrap=True)
        for comment in dict.fromkeys(one.comments):
            console().print(clean(f"    {' '.join(comment.split())}"), markup=False, soft_wrap=True)
    if not found:
        console().print("Nothing to decide.")


def _line(one: Complaint) -> str:
    times = f"{len(one.traces)} x " if len(one.traces) > 1 else ""
    return f"{one.traces[0][:8]}  {one.state:<7}  {one.kind:<14}  {times}{' '.join(one.question.split())}"
