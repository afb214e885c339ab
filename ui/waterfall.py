"""The steps of a trace, each with a bar where it lies in the whole time, and what it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag.llm.price import cost_text
from rag.types import Step
from rag.views import asked_view, nested
from ui.markup import text_html


def steps_html(steps: Sequence[Step]) -> str:
    """A table of the steps, each above its parts, which are indented; '' where there are none."""
    if not steps:
        return ""
    begin = min(step.started_at for step in steps)
    whole = max(max(step.ended_at for step in steps) - begin, 1e-9)
    rows = "".join(
        _row(step, depth, (step.started_at - begin) / whole, _spent(step) / whole) for depth, step in nested(steps)
    )
    return (
        '<table class="plumb-steps"><thead><tr><th scope="col">Step</th><th scope="col">When</th>'
        f'<th scope="col">Tokens</th><th scope="col">Time</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def seconds(spent_s: float) -> str:
    """A time for people: '850 ms', '4.2 s'."""
    return f"{spent_s * 1000:.0f} ms" if spent_s < 1 else f"{spent_s:.1f} s"


def _spent(step: Step) -> float:
    return max(step.ended_at - step.started_at, 0.0)


def _row(step: Step, depth: int, left: float, width: float) -> str:
    bar = f'<span style="margin-left:{left:.1%};width:{max(width, 0.005):.1%}"></span>'
    notes = "".join(f' <span class="plumb-quiet">{text_html(note)}</span>' for note in _notes(step) if note)
    name = f'<span style="margin-left:{depth}em">{text_html(step.name)}</span>'
    cells = (f"{name}{notes}", bar, text_html(_tokens(step.attributes)), seconds(_spent(step)))
    kinds = ("", ' class="plumb-bar"', "", "")
    return f"<tr>{''.join(f'<td{kind}>{cell}</td>' for kind, cell in zip(kinds, cells, strict=True))}</tr>"


def _notes(step: Step) -> tuple[str, str, str]:
    # Drafts are told apart by their models.
    model = str(step.attributes.get("model", "")) if step.kind in ("chain", "embedding") else ""
    return model, asked_view(step.attributes), step.error or ""


def _tokens(facts: Mapping[str, Any]) -> str:
    usage, cost = facts.get("usage"), facts.get("cost")
    if not isinstance(usage, Mapping):
        return ""
    paid = f", {cost_text(cost)}" if cost else ""
    return f"{usage.get('prompt', 0):,} + {usage.get('completion', 0):,}{paid}"
