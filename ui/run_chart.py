"""A figure of runs over time, each with its interval, as a chart and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

# What a figure is counted in: how its axis is called, how its ticks are written, and what is divided by.
UNITS = {
    "share": ("Share of cases", ".0%", 1),
    "score": ("Score", ".2f", 1),
    "ms": ("Seconds", "~g", 1000),
    "tokens": ("Tokens", "~s", 1),
    "money": ("Cost", "~g", 1),
}
# More dots are no picture any more: the newest are drawn.
MOST = 60
HEIGHT_PX = 380


def draw_run_chart(runs: Sequence[Mapping[str, Any]], metric: Mapping[str, Any]) -> None:
    """The runs from old to new; those of another version of the questions in another colour.

    `metric` is what `plumb eval runs --json` tells of a figure: its name, label, unit and direction.
    """
    dots = [dot for run in reversed(runs[:MOST]) if (dot := _dot(run, metric))]
    if not dots:
        st.caption("No run has a case that this applies to.")
        return
    title = f"{figure_name(metric)}: {len(dots)} runs"
    st.vega_lite_chart(dots, _spec(metric["unit"]), width="stretch", height=HEIGHT_PX, alt=title)
    st.caption(f"{_direction(metric)}{' Lines are 95 % intervals.' if metric['unit'] == 'share' else ''}")


def figure_name(metric: Mapping[str, Any]) -> str:
    """A figure for people: 'Total time, p95 (seconds)'."""
    label, unit = metric["label"], UNITS[metric["unit"]][0].lower()
    return f"{label[:1].upper()}{label[1:]} ({unit})"


def version(run: Mapping[str, Any]) -> str:
    """Which questions a run asked: the version of its dataset, and which part of it."""
    source = run["dataset"]
    part = ", ".join(f"{name} {value}" for name, value in source["selection"].items() if value)
    return f"{source['name']} {source['sha256'][:12]}{f' ({part})' if part else ''}"


def interval(figure: Mapping[str, Any] | None) -> str:
    """A share and its interval in words: '93.3 % (84–97)'."""
    if not figure or figure["value"] is None:
        return "–"
    told = f"{100 * figure['value']:.1f} %"
    return told if figure["low"] is None else f"{told} ({100 * figure['low']:.0f}–{100 * figure['high']:.0f})"


def moment(told: str) -> str:
    """A time in UTC, for people."""
    return told[:19].replace("T", " ")


def _direction(metric: Mapping[str, Any]) -> str:
    if metric["is_neutral"]:
        return "Neither high nor low is good."
    return "Low is good." if metric["low_is_good"] else "High is good."


def _dot(run: Mapping[str, Any], metric: Mapping[str, Any]) -> dict[str, Any] | None:
    figure = run["figures"].get(metric["name"])
    if not figure or figure["value"] is None:
        return None
    value = figure["value"] / UNITS[metric["unit"]][2]
    return {
        "When": moment(run["started"]),
        "Value": value,
        "Low": value if figure["low"] is None else figure["low"],
        "High": value if figure["high"] is None else figure["high"],
        "Told": interval(figure) if metric["unit"] == "share" else f"{value:,.3g}",
        "Run": run["id"],
        "Questions": version(run),
        "Baseline": ", ".join(run["baselines"]),
    }


def _spec(unit: str) -> dict[str, Any]:
    """A dot on a line for each run, in Vega-Lite: times are names here, as runs come in clusters."""
    x = {
        "field": "When",
        "type": "ordinal",
        "sort": None,
        "title": "When, UTC",
        "axis": {"labelOverlap": True, "labelAngle": -30},
    }
    title, ticks, _ = UNITS[unit]
    scale = {"domain": [0, 1]} if unit in ("share", "score") else {"zero": True}
    y = {"type": "quantitative", "title": title, "axis": {"format": ticks}, "scale": scale}
    told = [
        {"field": name, "type": "nominal", "title": title}
        for name, title in {"Run": "Run", "Told": "Value", "Questions": "Questions", "Baseline": "Baseline"}.items()
    ]
    colour = {"field": "Questions", "type": "nominal", "legend": {"orient": "bottom", "labelLimit": 500}}
    return {
        "encoding": {"x": x, "color": colour, "tooltip": told},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"y": {"field": "Low", **y}, "y2": {"field": "High"}},
            },
            {"mark": {"type": "point", "filled": True, "size": 90}, "encoding": {"y": {"field": "Value", **y}}},
        ],
    }
