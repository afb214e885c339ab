"""Figures with their intervals as a picture: a dot on a line for each, as SVG that needs no script and no server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LABEL, WIDTH, ROW, TOP = 190, 640, 22, 24
TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A value with the ends of its interval, the same where there is none. `kind` is 'better', 'worse' or ''."""

    label: str
    value: float
    low: float
    high: float
    told: str
    kind: str = ""


def dots(rows: Sequence[Dot], *, low: float, high: float, shown: str = "{:.0%}", zero: float | None = None) -> str:
    """The picture over the range from `low` to `high`; `shown` formats the ticks, `zero` is where a line is drawn."""
    height = TOP + ROW * len(rows) + 4
    scale = (WIDTH - LABEL - 16) / ((high - low) or 1.0)

    def place(value: float) -> float:
        return round(LABEL + (min(max(value, low), high) - low) * scale, 1)

    ticks = [low + (high - low) * number / (TICKS - 1) for number in range(TICKS)]
    parts = [_tick(place(tick), shown.format(tick), height) for tick in ticks]
    if zero is not None and low < zero < high:
        parts.append(f'<line class="zero" x1="{place(zero)}" x2="{place(zero)}" y1="{TOP - 6}" y2="{height}"/>')
    for number, row in enumerate(rows):
        y = TOP + ROW * number + ROW // 2
        parts += [
            f'<text class="label" x="{LABEL - 10}" y="{y + 4}">{escape(row.label)}</text>',
            f'<g class="{escape(row.kind)}"><title>{escape(row.label)}: {escape(row.told)}</title>',
            f'<line x1="{place(row.low)}" x2="{place(row.high)}" y1="{y}" y2="{y}"/>',
            f'<circle cx="{place(row.value)}" cy="{y}" r="4"/></g>',
        ]
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(parts)}</svg>'


def _tick(x: float, told: str, height: int) -> str:
    line = f'<line class="tick" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{height}"/>'
    return f'{line}<text class="tick" x="{x}" y="{TOP - 10}">{escape(told)}</text>'
