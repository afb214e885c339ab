"""How an answer came about: its steps with their times, models, tokens and the id of its trace."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import streamlit as st

from rag.engine import Engine
from rag.errors import PlumbError
from rag.llm.price import cost_text
from rag.types import Answer, Step
from ui.markup import text_html
from ui.waterfall import seconds, steps_html

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
