"""How an answer came about: its steps with their times, models, tokens and the id of its trace."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import streamlit as st

from rag.engine import Engine
from rag.errors import PlumbError
from rag.llm.price import cost_text
from rag.types import Answer, Step
from rag.views import asked_view
from ui.markup import text_html

log = logging.getLogger("plumbline")


def steps_of(engine: Engine, trace_id: str) -> tuple[Step, ...]:
    """The recorded steps of an answer; none when traces are off or can't be read."""
    if not engine.settings.trace.enabled:
        return ()
    try:
        return engine.spool.trace(trace_id).steps
    except PlumbError as error:
        log.warning("the steps of this answer can't be shown: %s", error)
        return ()


def draw_details(answer: Answer, steps: Sequence[Step]) -> None:
    """The folded details below an answer."""
    with st.expander("Details", type="compact"):
        if steps:
            st.html(steps_html(steps))
        st.html(facts_html(answer))
        st.caption("Trace")
        st.code(answer.trace_id, language=None, wrap_lines=True)


def steps_html(steps: Sequence[Step]) -> str:
    """A table of the steps, each with a bar where it lies in the whole time."""
    begin = min(step.started_at for step in steps)
    whole = max(max(step.ended_at for step in steps) - begin, 1e-9)
    rows = "".join(_row(step, (step.started_at - begin) / whole, _spent(step) / whole) for step in steps)
    return (
        '<table class="plumb-steps"><thead><tr><th scope="col">Step</th><th scope="col">When</th>'
        f'<th scope="col">Time</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def facts_html(answer: Answer) -> str:
    """Models, tokens, cost and times as a list of terms."""
    usage, times = answer.usage, answer.timings_ms
    cached = f" ({usage.cached:,} cached)" if usage.cached else ""
    facts = {
        **{f"Model: {role}": model for role, model in answer.models.items()},
        "Tokens": f"{usage.prompt:,} read{cached}, {usage.completion:,} written",
        "Cost": cost_text(answer.cost),
        "First token": seconds(times["first_token"] / 1000) if "first_token" in times else "",
        "Total": seconds(times["total"] / 1000) if "total" in times else "",
    }
    shown = "".join(f"<dt>{text_html(k)}</dt><dd>{text_html(v)}</dd>" for k, v in facts.items() if v)
    return f'<dl class="plumb-facts">{shown}</dl>'


def seconds(spent_s: float) -> str:
    """A time for people: '850 ms', '4.2 s'."""
    return f"{spent_s * 1000:.0f} ms" if spent_s < 1 else f"{spent_s:.1f} s"


def _spent(step: Step) -> float:
    return max(step.ended_at - step.started_at, 0.0)


def _row(step: Step, left: float, width: float) -> str:
    bar = f'<span style="margin-left:{left:.1%};width:{max(width, 0.005):.1%}"></span>'
    error = f' <span class="plumb-quiet">{text_html(step.error)}</span>' if step.error else ""
    asked = f' <span class="plumb-quiet">{text_html(told)}</span>' if (told := asked_view(step.attributes)) else ""
    return (
        f'<tr><td>{text_html(step.name)}{asked}{error}</td><td class="plumb-bar">{bar}</td>'
        f"<td>{seconds(_spent(step))}</td></tr>"
    )
