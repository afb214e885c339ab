"""Answers, hits and traces on a terminal. Everything from outside is printed as text, never as markup."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from rag.engine import Delta, Event, Stage
from rag.llm.price import cost_text
from rag.llm.protocol import Restart
from rag.terminal import clean
from rag.types import Answer, Citation, Hit, Support, place_name

if TYPE_CHECKING:
    from rich.console import Console

    from rag.search import Found

STAGES = {
    "retrieve": "looking for passages …",
    "generate": "reading …",
    "vote": "several models answer …",
    "verify": "checking …",
}
# What a search begins with; every other stage starts from the order of the one before.
LEGS = ("dense", "lexical")
SUPPORT: dict[Support, tuple[str, str]] = {
    "supported": ("✓ supported", "green"),
    "partly": ("~ partly supported", "yellow"),
    "contradicted": ("✗ contradicted", "red"),
    "unsupported": ("✗ not supported", "red"),
}
# Of a citation that several claims may share.
NOT_EVERY = ("~ some claims not supported", "yellow")


def draw_stream(console: Console, events: Iterable[Event]) -> Answer:
    """Show the answer while it is written, in a terminal; return it."""
    text = ""
    with Live(
        Text(""), console=console, transient=True, refresh_per_second=12, auto_refresh=console.is_terminal
    ) as live:
        for event in events:
            match event:
                case Stage(name=name):
                    live.update(Text(f"{text}\n\n{STAGES[name]}" if text else STAGES[name], style="dim"))
                case Delta(text=piece):
                    text += clean(piece)
                    live.update(Text(text))
                case Restart(reason=reason):
                    text = ""
                    # It stays: the next piece would wipe it away before it was read.
                    console.print(Text(clean(f"The answer begins anew: {reason}"), style="yellow"))
                    live.update(Text(text))
                case Answer():
                    return event
    raise RuntimeError("the engine ended without an answer")


def draw_answer(console: Console, answer: Answer) -> None:
    """An answer, its citations with their quotes, what is not supported, and what it took."""
    console.print(Text(clean(answer.text), style="yellow" if answer.abstained else ""))
    if answer.citations:
        console.print("\n[bold]Sources[/bold]")
    titles = {passage.marker: passage.hit.chunk.title for passage in answer.passages}
    for citation in answer.citations:
        _draw_citation(console, citation, titles[citation.marker])
    console.print()
    _draw_verdict(console, answer)
    console.print(Text(_facts(answer), style="dim"))


def draw_nothing(console: Console, *, chunks: int) -> None:
    """Why a search found nothing, out of so many chunks."""
    if chunks:
        told = f"Nothing found: none of the {chunks:,} passages in the index is for this reader ('--as') and '--where'."
    else:
        told = "Nothing found: the index is empty. Fill it: plumb ingest PATH"
    console.print(told)


def draw_found(console: Console, found: Found, *, explain: bool) -> None:
    """Hits with their scores and the beginning of their texts; explained, what moved them and what was left out."""
    for rank, hit in enumerate(found.hits, 1):
        chunk = hit.chunk
        scores = _explained(hit) if explain else "  ".join(f"{name} {score:.3f}" for name, score in hit.scores.items())
        console.print(f"[bold]{rank}. {escape(clean(chunk.title))}[/bold]  [dim]{escape(clean(chunk.uri))}[/dim]")
        place = f"{chunk.place}   " if chunk.place else ""
        console.print(_indented(Text(clean(f"{place}{scores}"), style="cyan"), 3))
        console.print(_indented(Text(_short(clean(chunk.text), 240)), 3))
    if explain and found.hits:
        _draw_reasons(console, found)


def _draw_reasons(console: Console, found: Found) -> None:
    meaning = f"{found.dense_weight:.0%}"
    console.print(
        f"\nMeaning (dense) counted {meaning}, words (lexical) the rest, as clear as each leg's best hit was."
    )
    for one in found.left_out:
        console.print(Text(clean(f"left out: {one.hit.chunk.uri}: {one.reason}"), style="dim"))


def _explained(hit: Hit) -> str:
    """The score and the place of a hit in every stage, in their order, and where a late stage moved it."""
    told, before = [], 0
    for stage, score in hit.scores.items():
        place = hit.ranks.get(stage, 0)
        moved = f"#{before} -> #{place}" if before and before != place else f"#{place}"
        told.append(f"{stage} {score:.3f}" + (f" ({moved})" if place else ""))
        before = place if stage not in LEGS else 0
    return " · ".join(told)


def _indented(text: Text, columns: int) -> Padding:
    return Padding(text, (0, 0, 0, columns), expand=False)


def _draw_citation(console: Console, citation: Citation, title: str) -> None:
    word, colour = SUPPORT["supported"] if citation.supported else NOT_EVERY
    place = place_name(citation.page, citation.headings)
    head = Text.assemble((f"[{citation.marker}] ", "bold"), clean(title), (f"  {clean(citation.uri)}", "dim"))
    console.print(head)
    console.print(_indented(Text.assemble((word, colour), clean(f"   {place}" if place else "")), 4))
    console.print(_indented(Text(f"“{clean(citation.quote)}”", style="italic"), 4))


def _draw_verdict(console: Console, answer: Answer) -> None:
    claims = answer.verdict.claims
    if answer.abstained and not claims:
        console.print("Abstained: no claim was made.")
        return
    if answer.abstention == "beside":
        console.print("Abstained: the model does not see the question answered by what its answer rests on.")
        return
    if answer.verdict.supported:
        console.print(Text(f"✓ every claim is supported ({len(claims)} of {len(claims)})", style="green"))
        return
    for claim in claims:
        if claim.support != "supported":
            word, colour = SUPPORT[claim.support]
            console.print(Text(f"{word}: {clean(claim.text)} ({clean(claim.reason)})", style=colour))


def _facts(answer: Answer) -> str:
    usage, times = answer.usage, answer.timings_ms
    models = clean(", ".join(f"{role} {model}" for role, model in answer.models.items()))
    cached = f" ({usage.cached} cached)" if usage.cached else ""
    before = f" · given before in trace {answer.given_before[:8]}" if answer.given_before else ""
    first = f"first token {times['first_token'] / 1000:.1f} s, " if "first_token" in times else ""
    return (
        f"models: {models}\n"
        f"tokens: {usage.prompt} in{cached}, {usage.completion} out · cost {cost_text(answer.cost)}"
        f" · {first}total {times['total'] / 1000:.1f} s · trace {answer.trace_id[:8]}{before}"
    )


def _short(text: str, chars: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= chars else flat[: chars - 1] + "…"
