"""A decision of the gate on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from evals.gate import Decision
from evals.ruling import Ruling
from evals.words import figure, left_out_counted, lost_told, not_gated_told, points, verdict_of
from rag.terminal import in_line, number_of

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "not gated": "dim"}

TITLES = ("n", "before", "now", "change", "at worst", "limit", "+", "−")
SAID = (
    "shares in %, changes in points, a loss is a minus; 'at worst' holds with 95 % confidence; + and − count the cases"
    " that got better and worse"
)


def draw_decision(console: Console, decision: Decision) -> None:
    """The verdict and why, then every metric with the numbers it rests on."""
    console.print(Text(decision.verdict.upper(), style=f"bold {COLOURS[decision.verdict]}"))
    for reason in decision.reasons:
        console.print(Text(in_line(reason)))
    console.print()
    console.print(_rulings(decision.rulings))
    console.print(Text(SAID, style="dim"))
    if told := not_gated_told(decision.rulings):
        console.print(Text(told, style="dim"))
    console.print(Text(f"\n{number_of('confirmed case', decision.cases)}{left_out_counted(decision.left_out)}"))
    console.print(
        Text(in_line(f"run {decision.run} against '{decision.baseline}', {decision.baseline_run}"), style="dim")
    )
    for note in decision.notes:
        console.print(Text(f"note: {in_line(note)}", style="yellow"))
    if told := lost_told(decision.lost):
        console.print(Text(in_line(told), style="yellow"))
    if any(one.better or one.worse for one in decision.rulings):
        shown = f"plumb eval compare {in_line(decision.baseline)} {in_line(decision.run)}"
        console.print(Text(f"which cases turned: {shown}", style="dim"))


def _rulings(rulings: Sequence[Ruling]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for title in TITLES:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for one in rulings:
        verdict = verdict_of(one)
        table.add_row(*row(one), Text("open" if verdict == "inconclusive" else verdict, style=COLOURS[verdict]))
    return table


def row(one: Ruling) -> list[str]:
    """The figures of a metric under TITLES; a loss is a minus, whichever direction is good."""
    if one.first is None or one.second is None or one.gain is None or one.at_worst is None:
        return [one.label, "0", *["–"] * 7]
    return [
        *(one.label, str(one.cases), figure(one.first, one.unit), figure(one.second, one.unit)),
        *(points(one.gain, one.unit), points(one.at_worst, one.unit), points(-one.margin, one.unit)),
        *(str(one.better), str(one.worse)),
    ]
