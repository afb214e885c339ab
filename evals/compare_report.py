"""A comparison of two runs on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from evals.compare import Compared, Comparison
from evals.flips import Flip
from evals.where import Place
from evals.words import chance, figure, left_out_told, noise_told, points
from rag.terminal import clean, in_line, number_of

if TYPE_CHECKING:
    from rich.console import Console

MOST_PLACES = 12
MOST_CHANGES = 12
LONGEST_ANSWER = 500
# From here on a difference is more than chance.
CLEAR_AT = 0.05
SAID = "shares in %, changes in points; p is corrected for the number of metrics"


def draw_comparison(console: Console, found: Comparison, *, shown: int) -> None:
    """What changed, the metrics on both sides, where they changed, and `shown` of the cases that turned."""
    _draw_head(console, found)
    console.print(_metrics(found.metrics))
    console.print(Text(SAID, style="dim"))
    for told in _repeated(found.metrics):
        console.print(Text(told, style="dim"))
    if found.places:
        console.print()
        most = max(found.metrics, key=lambda one: (one.worse, one.better)).metric
        console.print(_places([place for place in found.places if place.metric == most]))
    _draw_flips(console, found.flips, shown=shown)


def _draw_head(console: Console, found: Comparison) -> None:
    for name, side in (("first ", found.first), ("second", found.second)):
        console.print(Text(in_line(f"{name}  {side.run_id}  config {side.config_hash}"), style="dim"))
    for line in found.changes[:MOST_CHANGES]:
        console.print(Text(f"  {in_line(line)}"))
    if len(found.changes) > MOST_CHANGES:
        console.print(Text(f"  and {len(found.changes) - MOST_CHANGES} more: --json tells all", style="dim"))
    if not found.changes:
        console.print(Text("  settings, models, prompts, index and code are the same", style="dim"))
    console.print(Text(f"\n{number_of('case', found.cases)} compared{left_out_told(found.left_out)}", style="bold"))
    for note in found.notes:
        console.print(Text(f"note: {in_line(note)}", style="yellow"))
    console.print()


def _metrics(metrics: Sequence[Compared]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for title in ("n", "first", "second", "change", "95 %", "better", "worse", "p"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in metrics:
        table.add_row(*_row(one), style=_style(one))
    return table


def _row(one: Compared) -> list[str]:
    return [
        *(one.label, str(one.cases), figure(one.first, one.unit), figure(one.second, one.unit)),
        points(one.difference, one.unit),
        f"{points(one.low, one.unit)} {points(one.high, one.unit)}",
        *(str(one.better), str(one.worse), chance(one.p_holm)),
    ]


def _style(one: Compared) -> str:
    if one.p_holm >= CLEAR_AT:
        return "" if one.better + one.worse else "dim"
    return "green" if one.gain > 0 else "red"


def _repeated(metrics: Sequence[Compared]) -> list[str]:
    """What repetitions tell of the metrics; that they would, where no case was asked twice."""
    if all(one.spread.noise is None for one in metrics):
        return ["asked once each: how much of a change is noise is unknown, repetitions would tell"]
    return [told for one in metrics if (told := noise_told(one.label, one.spread))]


def _places(places: Sequence[Place]) -> Table:
    """The places of the metric that lost most cases; those of the others are in the JSON."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(f"where '{places[0].label}' changed", overflow="fold")
    for title in ("n", "first", "second", "better", "worse", "p"):
        table.add_column(title, justify="right", no_wrap=True)
    for place in places[:MOST_PLACES]:
        table.add_row(
            Text(f"{place.kind} {in_line(place.name)}"),
            *(str(place.cases), figure(place.first, place.unit), figure(place.second, place.unit)),
            *(str(place.better), str(place.worse), chance(place.p_holm)),
        )
    return table


def _draw_flips(console: Console, flips: Sequence[Flip], *, shown: int) -> None:
    lost, won = sum(bool(flip.lost) for flip in flips), sum(not flip.lost for flip in flips)
    console.print(Text(f"\n{number_of('case', lost)} got worse, {won} better", style="bold"))
    for flip in flips[:shown]:
        console.print()
        console.print(_flip_head(flip))
        console.print(_answers(flip))
    if len(flips) > shown:
        console.print(Text(f"\nand {len(flips) - shown} more: --flips {len(flips)} shows all", style="dim"))


def _flip_head(flip: Flip) -> Text:
    text = Text.assemble((in_line(flip.case_id), "bold"), f"  {in_line(flip.question)}\n")
    for names, told, style in ((flip.lost, "lost", "red"), (flip.won, "won", "green")):
        if names:
            text.append(f"{told} {', '.join(names)}  ", style=style)
    expected = "; ".join(flip.expected)
    return text.append(f"expected: {in_line(expected)}" if expected else "", style="dim")


def _answers(flip: Flip) -> Table:
    table = Table(box=None, pad_edge=False, expand=False)
    for title in ("first", "second"):
        table.add_column(title, ratio=1, overflow="fold", header_style="dim")
    table.add_row(Text(_cut(flip.first)), Text(_cut(flip.second)))
    return table


def _cut(answer: str) -> str:
    text = clean(answer.strip()) or "(nothing)"
    return text if len(text) <= LONGEST_ANSWER else f"{text[:LONGEST_ANSWER]}…"
