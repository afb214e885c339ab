"""What `plumb eval compare` says of two runs: what differs, the figures of both, and the cases that turned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from rag.engine import Engine
from rag.terminal import number_of
from ui.markup import literal, text_html
from ui.reviewing import HIDDEN, may_read

Told = Mapping[str, Any]
# From here on a change is more than chance, as in the command's own colours.
CLEAR_AT = 0.05
MOST_CHANGES = 30
MOST_FLIPS = 20
KINDS = {"better": ' class="plumb-good"', "worse": ' class="plumb-unsupported"'}
TITLES = ("Cases", "First", "Second", "Change", "95 %", "Better", "Worse", "p", "Clear")


def draw_compared(engine: Engine, found: Told, show: Callable[[str], None]) -> None:
    """A comparison; `show` leads to the trace with an id."""
    _draw_changes(found["changes"])
    left_out = "".join(f"; left out: {len(ids):,} {why}" for why, ids in found["left_out"].items())
    st.caption(literal(f"{number_of('case', found['cases'])} compared{left_out}"))
    for note in found["notes"]:
        st.warning(literal(note), icon=":material/info:")
    st.html(_metrics_html(found["metrics"]))
    st.caption(
        "Shares in percent, changes in points, p corrected for the number of figures. Coloured is what is more than"
        " chance."
    )
    _draw_flips(engine, found, show)


def _draw_changes(changes: Sequence[str]) -> None:
    if not changes:
        st.caption("Settings, models, prompts, index and code are the same.")
        return
    lines = "".join(f'<p class="plumb-doubt">{text_html(line)}</p>' for line in changes[:MOST_CHANGES])
    st.html(lines)
    if len(changes) > MOST_CHANGES:
        st.caption(f"and {len(changes) - MOST_CHANGES} more: `plumb eval compare --json` tells all")


def _metrics_html(metrics: Sequence[Told]) -> str:
    heads = "".join(f'<th scope="col">{title}</th>' for title in ("Figure", *TITLES))
    rows = "".join(_row_html(one) for one in metrics)
    table = f'<table class="plumb-steps"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="plumb-figures">{table}</div>'


def _row_html(one: Told) -> str:
    kind = _clear(one)
    cells = (
        *(f"{one['cases']:,}", _figure(one, "first"), _figure(one, "second"), _points(one, "difference")),
        f"{_points(one, 'low')} to {_points(one, 'high')}",
        *(f"{one['better']:,}", f"{one['worse']:,}", _chance(one["p_holm"]), kind),
    )
    shown = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr{KINDS.get(kind, "")}><th scope="row">{text_html(one["label"])}</th>{shown}</tr>'


def _clear(one: Told) -> str:
    """In which direction a figure changed, where that is more than chance."""
    if one["p_holm"] >= CLEAR_AT or not one["difference"]:
        return "–"
    return "better" if (one["difference"] > 0) != one["low_is_good"] else "worse"


def _figure(one: Told, side: str) -> str:
    return f"{100 * one[side]:.1f}" if one["unit"] == "share" else f"{one[side]:.3f}"


def _points(one: Told, name: str) -> str:
    return f"{100 * one[name] + 0.0:+.1f}" if one["unit"] == "share" else f"{one[name] + 0.0:+.3f}"


def _chance(p: float) -> str:
    return "&lt;.001" if p < 0.001 else f"{p:.3f}"


def _draw_flips(engine: Engine, found: Told, show: Callable[[str], None]) -> None:
    flips = found["flips"]
    lost = sum(bool(flip["lost"]) for flip in flips)
    st.subheader("Cases that turned")
    st.caption(f"{number_of('case', lost)} got worse, {len(flips) - lost} better." if flips else "None.")
    for flip in flips[:MOST_FLIPS]:
        with st.container(border=True):
            _draw_flip(engine, flip, show)
    if len(flips) > MOST_FLIPS:
        command = f"plumb eval compare {found['first']['run_id']} {found['second']['run_id']} --flips {len(flips)}"
        st.caption(literal(f"and {len(flips) - MOST_FLIPS} more: {command}"))


def _draw_flip(engine: Engine, flip: Told, show: Callable[[str], None]) -> None:
    if not _is_theirs(engine, flip):
        st.html(f'<p class="plumb-quiet">{text_html(flip["case_id"])} {HIDDEN}</p>')
        return
    st.html(_head_html(flip))
    for column, side in zip(st.columns(2), ("first", "second"), strict=True):
        with column:
            st.html(f'<p class="plumb-quiet">{side.capitalize()}</p>{_answer_html(flip[side])}')
            trace_id = flip[f"{side}_trace"]
            key = f"flip-{flip['case_id']}-{side}"
            if trace_id and st.button(f"Trace {trace_id[:8]}", key=key, type="tertiary"):
                show(trace_id)


def _is_theirs(engine: Engine, flip: Told) -> bool:
    """Whether the case and its answers, of which their traces tell, are this visitor's to read."""
    return all(may_read(engine, flip[name]) for name in ("first_trace", "second_trace", "then_trace") if flip[name])


def _head_html(flip: Told) -> str:
    turned = (("lost", "plumb-unsupported"), ("won", "plumb-good"))
    signs = "".join(
        f'<span class="plumb-badge {kind}">{word} {text_html(", ".join(flip[word]))}</span> '
        for word, kind in turned
        if flip[word]
    )
    expected = f", expected: {'; '.join(flip['expected'])}" if flip["expected"] else ""
    return (
        f'<p class="plumb-name">{text_html(flip["question"])}</p>'
        f'<p class="plumb-quiet">{text_html(flip["case_id"] + expected)}</p><p>{signs}</p>'
    )


def _answer_html(answer: str) -> str:
    return f'<div class="plumb-passage">{text_html(answer.strip()) or "(nothing)"}</div>'
