"""Answers and hits as plain JSON values: what `--json` prints and what runs keep."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rag.types import Answer, Hit


def answer_view(answer: Answer) -> dict[str, Any]:
    """An answer without its passages."""
    return {
        "question": answer.question,
        "text": answer.text,
        "abstained": answer.abstained,
        "citations": [asdict(citation) for citation in answer.citations],
        "verdict": {
            "supported": answer.verdict.supported,
            "supported_share": answer.verdict.supported_share,
            "claims": [asdict(claim) for claim in answer.verdict.claims],
        },
        "usage": asdict(answer.usage),
        "models": dict(answer.models),
        "trace_id": answer.trace_id,
        "timings_ms": dict(answer.timings_ms),
    }


def hit_view(hit: Hit) -> dict[str, Any]:
    """A hit with the score of every stage."""
    chunk = hit.chunk
    return {
        "uri": chunk.uri,
        "title": chunk.title,
        "page": chunk.page,
        "headings": list(chunk.headings),
        "text": chunk.text,
        "score": round(hit.score, 4),
        "scores": {name: round(score, 4) for name, score in hit.scores.items()},
        "chunk_id": chunk.id,
    }
