"""Answers and hits as plain JSON values: what `--json` prints and what runs keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rag.search import Found
from rag.types import Answer, Feedback, Hit, Step, Trace


def answer_view(answer: Answer) -> dict[str, Any]:
    """An answer without its passages."""
    return {
        "question": answer.question,
        "query": answer.query,
        "text": answer.text,
        "abstained": answer.abstained,
        "abstention": answer.abstention,
        "citations": [asdict(citation) for citation in answer.citations],
        "verdict": {
            "supported": answer.verdict.supported,
            "supported_share": answer.verdict.supported_share,
            "claims": [asdict(claim) for claim in answer.verdict.claims],
        },
        "usage": asdict(answer.usage),
        "cost": answer.cost,
        "models": dict(answer.models),
        "trace_id": answer.trace_id,
        "given_before": answer.given_before,
        "timings_ms": dict(answer.timings_ms),
    }


def asked_view(attributes: Mapping[str, Any]) -> str:
    """Of a step's attributes: which models were asked and what came of it; '' where the first choice answered."""
    attempts = attributes.get("attempts", ())
    told = ", ".join(f"{attempt['model']} {attempt['outcome']}" for attempt in attempts)
    return told if any(attempt["outcome"] != "answered" for attempt in attempts) else ""


def nested(steps: Sequence[Step]) -> Iterator[tuple[int, Step]]:
    """Each step with how deep it lies, its parts behind it; one whose whole is not among them lies at the top."""
    known = {step.id for step in steps}
    parts: dict[str, list[Step]] = {}
    for step in steps:
        parts.setdefault(step.parent_id if step.parent_id in known else "", []).append(step)
    waiting = [(0, step) for step in reversed(parts.get("", []))]
    while waiting:
        depth, step = waiting.pop()
        yield depth, step
        waiting.extend((depth + 1, part) for part in reversed(parts.get(step.id, [])))


def trace_view(trace: Trace, feedback: Sequence[Feedback], signals: Sequence[str]) -> dict[str, Any]:
    """A trace with its steps, what people said of it, and what they did with the answer."""
    return {**asdict(trace), "feedback": [asdict(said) for said in feedback], "signals": list(signals)}


def hit_view(hit: Hit) -> dict[str, Any]:
    """A hit with its score and its place in every stage."""
    chunk = hit.chunk
    return {
        "uri": chunk.uri,
        "title": chunk.title,
        "page": chunk.page,
        "headings": list(chunk.headings),
        "text": chunk.text,
        "fields": dict(chunk.fields),
        "score": round(hit.score, 4),
        "scores": {name: round(score, 4) for name, score in hit.scores.items()},
        "ranks": dict(hit.ranks),
        "chunk_id": chunk.id,
    }


def found_view(found: Found) -> dict[str, Any]:
    """A search with what decided it."""
    return {
        "hits": [hit_view(hit) for hit in found.hits],
        "left_out": [{**hit_view(one.hit), "reason": one.reason} for one in found.left_out],
        "dense_weight": round(found.dense_weight, 4),
        "failure": found.failure,
    }
