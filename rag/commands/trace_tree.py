"""A trace as a tree for the terminal: its steps with times, models, tokens and cost, its passages and its claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text
from rich.tree import Tree

from rag.commands.moments import when
from rag.feedback import told
from rag.llm.price import cost_text
from rag.terminal import clean
from rag.types import Feedback, Step, Trace
from rag.views import asked_view

# What a step is about, in one line; the rest is in --json.
GIST = (
    *("chance", "answerable_at", "alone_at", "output", "chances", "supported_share"),
    *("query", "uri", "chunks", "resolved_model"),
)
LINE = 160
SIGNS = {"supported": "✓", "partly": "◐", "contradicted": "✗", "unsupported": "✗"}


def tree(trace: Trace, feedback: Sequence[Feedback], signals: Sequence[str]) -> Tree:
    """The whole trace; a step stands under the one it is a part of."""
    status = "abstained" if trace.attributes.get("abstained") else trace.status
    took = f"{trace.ended_at - trace.started_at:.1f} s"
    root = Tree(
        _text(f"{trace.name} {trace.id}  {when(trace.started_at)}  {took}  {status}  {_spent(trace.attributes)}")
    )
    root.add(_text(f"in:  {trace.input}"))
    root.add(_text(f"out: {trace.output}"))
    if tags := trace.attributes.get("tags"):
        root.add(_text(f"tags: {', '.join(map(str, tags))}"))
    for said in feedback:
        root.add(_text(f"feedback of {told(said)}"))
    if signals:
        root.add(_text(f"then: {', '.join(signals)}"))
    made: dict[str, Tree] = {}
    for step in trace.steps:
        branch = made.get(step.parent_id or "", root).add(_text(_line(step, trace.started_at)))
        made[step.id] = branch
        for line in _inside(step.attributes):
            branch.add(_text(line))
    return root


def _line(step: Step, began_at: float) -> str:
    took = (step.ended_at - step.started_at) * 1000
    times = f"+{step.started_at - began_at:6.2f} s {took:>9,.0f} ms"
    parts = (
        f"{step.name:<9} {step.kind:<10} {times}",
        step.error or "",
        _spent(step.attributes),
        _gist(step.attributes),
    )
    return "  ".join(part for part in parts if part)[:LINE]


def _spent(facts: Mapping[str, Any]) -> str:
    """Tokens and cost, where there are any."""
    usage = facts.get("usage")
    if not isinstance(usage, Mapping):
        return ""
    cost = cost_text(facts["cost"]) if "cost" in facts else ""
    return f"{usage.get('prompt', 0)}+{usage.get('completion', 0)} tokens{f', {cost}' if cost else ''}"


def _gist(facts: Mapping[str, Any]) -> str:
    # Where nobody answered: who was asked.
    names = GIST if facts.get("resolved_model") else (*GIST, "model")
    shown = {name: facts[name] for name in names if facts.get(name)}
    hits = [f"{len(facts['hits'])} hits"] if "hits" in facts else []
    models = [asked] if (asked := asked_view(facts)) else []
    return "  ".join(models + hits + [f"{name}={value}" for name, value in shown.items()])


def _inside(facts: Mapping[str, Any]) -> Iterator[str]:
    """Passages with the score of each stage, claims with what the check says of them."""
    for hit in facts.get("hits", ()):
        scores = " ".join(f"{name}={score:.3f}" for name, score in (hit.get("scores") or {}).items())
        yield f"{hit.get('score', 0):.3f}  {hit.get('uri', '')}  {scores}  {hit.get('text', '')}"[:LINE]
    for claim in facts.get("claims", ()):
        reason = f"  ({claim['reason']})" if claim.get("reason") else ""
        yield f"{SIGNS.get(claim.get('support', ''), '?')} {claim.get('text', '')}{reason}"


def _text(line: str) -> Text:
    return Text(clean(" ".join(line.split("\n"))))
