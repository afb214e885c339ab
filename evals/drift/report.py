"""A comparison for people: on a terminal, and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from evals.drift.compare import Report, Side
from evals.drift.signals import BY_NAME, Signal
from rag.terminal import clean, in_line, number_of

if TYPE_CHECKING:
    from rich.console import Console

TITLES = ("", "signal", "before", "now", "change (95 %)", "effect (95 %)", "p")
SHOWN_CHARS = 110
LISTED = 6
FROM_HUNDREDS, SMALLEST = 100, 1e-12


def draw_report(console: Console, report: Report) -> None:
    """The verdict first, then what fired, what it can be put down to, and what could not be found out."""
    for line in _head(report):
        console.print(Text(line, style="dim"))
    console.print(Text(_verdict(report), style="bold red" if report.outcome == "drift" else "bold"))
    if report.fired:
        console.print(_table(report))
    for label, line in _lines(report):
        console.print(Text.assemble((f"{label:<11} ", "bold"), clean(line)))


def markdown(report: Report) -> str:
    """The same as Markdown, for a pull request or a mail."""
    parts = [f"**{_verdict(report)}**", "", *(f"{line}  " for line in _head(report)), ""]
    if report.fired:
        parts += [f"| {' | '.join(TITLES)} |", f"|{'---|' * len(TITLES)}"]
        parts += [f"| {' | '.join(cell.replace('|', '/') for cell in _row(signal))} |" for signal in report.fired]
        parts.append("")
    parts += [f"- {label}: {in_line(line)}" for label, line in _lines(report)]
    return clean("\n".join(parts))


def _head(report: Report) -> Iterator[str]:
    yield f"before  {_side(report.reference)}"
    yield f"now     {_side(report.now)}"
    kind = "in pairs" if report.paired else "not the same prompts on both sides"
    left = f", {number_of('other', report.left_out)} left out" if report.left_out else ""
    yield f"{number_of('prompt', report.prompts)} {kind}{left}; look {report.look} at this reference"


def _side(side: Side) -> str:
    models = ", ".join(f"{model} × {count}" for model, count in side.models.items())
    failed = f", {side.failed} failed" if side.failed else ""
    name = f"{side.name}  " if side.name and side.name not in side.id else ""
    return clean(f"{name}{side.id}  {side.source}, {side.asked} answers{failed}  {models}")


def _verdict(report: Report) -> str:
    match report.outcome:
        case "same":
            return "no drift: nothing changed beyond chance"
        case "unknown":
            return clean(f"could not find out: {'; '.join(report.unknown)}")
        case "drift":
            return f"DRIFT: {', '.join(_families(report))}"


def _families(report: Report) -> Iterator[str]:
    """What changed, in a word each."""
    if report.model:
        yield "model"
    for family in ("form", "content"):
        if any(signal.family == family for signal in report.fired):
            yield family
    right = next((signal for signal in report.fired if signal.family == "quality"), None)
    if right:
        yield f"quality {'got worse' if right.effect < 0 else 'got better'}"


def _table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in TITLES:
        table.add_column(title, justify="left" if title in ("", "signal") else "right", no_wrap=True)
    for signal in report.fired:
        table.add_row(*(Text(cell) for cell in _row(signal)))
    return table


def _row(signal: Signal) -> tuple[str, ...]:
    effect = f"{signal.effect:+.2f} ({signal.effect_low:+.2f} to {signal.effect_high:+.2f})"
    before, now, change = _figures(signal)
    return signal.family, signal.name, before, now, change, effect, _p(signal.p)


def _figures(signal: Signal) -> tuple[str, str, str]:
    scale = BY_NAME[signal.name].scale
    if signal.before is None or signal.after is None:
        return "", "", ""
    if scale == "share":
        low, high = (f"{100 * value:+.0f}" for value in (signal.low or 0.0, signal.high or 0.0))
        change = f"{100 * (signal.difference or 0.0):+.0f} points ({low} to {high})"
        return f"{signal.before:.0%}", f"{signal.after:.0%}", change
    shown = f"{_amount(signal.before)}", f"{_amount(signal.after)}"
    if signal.difference is None or signal.low is None or signal.high is None:
        return *shown, ""
    return *shown, f"× {signal.difference:.2g} ({signal.low:.2g} to {signal.high:.2g})"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= FROM_HUNDREDS else f"{value:.3g}"


def _p(value: float) -> str:
    return f"{value:.2g}" if value > SMALLEST else "< 1e-12"


def _lines(report: Report) -> Iterator[tuple[str, str]]:
    """Everything beside the table, each with its label."""
    yield from report.notes.items()
    yield from (("model", change.told) for change in report.model)
    yield from ((signal.name, signal.detail) for signal in report.fired if signal.detail)
    if report.since:
        since = report.since
        yield "since", f"after {since.after}, by {since.by} ({since.looked_at} observations looked at)"
    if report.attribution:
        yield "cause", report.attribution.because
    if report.attribution and report.attribution.to_tell:
        yield "to tell", report.attribution.to_tell
    if report.example:
        yield "such as", f"{report.example.prompt}: {_short(report.example.before)}"
        yield "", f"now: {_short(report.example.after)}"
    yield from _others(report)
    yield "chance", _chance(report)


def _others(report: Report) -> Iterator[tuple[str, str]]:
    quiet = [signal for signal in report.signals if not signal.fires and signal.p < 1]
    if quiet:
        told = [f"{one.name} {one.effect:+.2f} (p {_p(one.p)}{_needed(one)})" for one in quiet]
        yield "within", f"what chance makes: {', '.join(told)}"
    still = [signal.name for signal in report.signals if not signal.fires and signal.p >= 1]
    if still:
        yield "the same", ", ".join(still)
    if report.missing:
        yield "not told", "; ".join(f"{name}: {why}" for name, why in report.missing.items())
    if report.outcome != "drift" and report.ours:
        yield "ours", "; ".join(change.told for change in report.ours)
    if report.aside:
        more = len(report.aside) - LISTED
        listed = ", ".join(report.aside[:LISTED]) + (f" and {more} more" if more > 0 else "")
        yield "aside", f"settings that differ, but reach no canary: {listed}"
    if report.outcome == "drift" and report.unknown:
        yield "besides", "; ".join(report.unknown)


def _needed(signal: Signal) -> str:
    """What was missing: a large effect that is not yet certain is worth a look."""
    if not signal.bound:
        return ", too few differ"
    return f", needs {signal.bound:.2g}" if signal.p > signal.bound else ", but no clear direction"


def _chance(report: Report) -> str:
    counted = sum(1 for signal in report.signals if signal.bound)
    if not counted:
        return "too few answers differ for any signal to fire"
    return (
        f"a false alarm in at most {100 * report.level:.2g} % of looks like this one, over all"
        f" {number_of('signal', counted)} that could fire (Holm); all looks at one reference together stay below 5 %"
        + (_renew(report) if report.look >= 30 else "")
    )


def _renew(report: Report) -> str:
    wanted = math.log10(report.level / max(len(report.signals), 1))
    return f". At look {report.look} only p below 1e{wanted:.0f} counts: take a newer reference"


def _short(text: str) -> str:
    line = in_line(" ".join(text.split()))
    return f"“{line if len(line) <= SHOWN_CHARS else line[: SHOWN_CHARS - 1] + '…'}”"
