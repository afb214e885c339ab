"""Traces for the tests of rag/observe: one like the engine's, about 20 kB, with every kind of step."""

from __future__ import annotations

from typing import Any

from rag.types import Step, Trace

STARTED_AT = 1_790_000_000.25
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def ask_trace(trace_id: str = TRACE_ID, *, started_at: float = STARTED_AT, **changes: Any) -> Trace:
    """A finished question about leave, as the engine records it."""
    fields: dict[str, Any] = {
        "id": trace_id,
        "name": "ask",
        "started_at": started_at,
        "ended_at": started_at + 4.5,
        "status": "ok",
        "input": "How many days of leave?",
        "output": "You have 30 days [1].\nAsk your manager first.",
        "attributes": {
            "config_hash": "c0ffee",
            "code_version": "0.1.0",
            "index": "plumbline",
            "session_id": "session-7",
            "abstained": False,
            "supported_share": 1.0,
            "citations": [{"marker": 1, "uri": "leave.md", "page": None, "quote": "30 days", "supported": True}],
            "models": {"answer": "qwen2.5-coder-1.5b-q4", "embed": "local:all-minilm-l6-v2"},
            "usage": {"prompt": 400, "completion": 20, "cached": 150},
        },
        "steps": (_embed(started_at), _retrieve(started_at), _generate(started_at), _verify(started_at)),
    }
    return Trace(**{**fields, **changes})


def _retrieve(start: float) -> Step:
    return Step(
        id="00000000000000a1",
        parent_id=None,
        name="retrieve",
        kind="retriever",
        started_at=start + 0.1,
        ended_at=start + 0.2,
        attributes={"query": "leave days", "hits": [_hit(number) for number in range(8)]},
    )


def _embed(start: float) -> Step:
    return Step(
        id="00000000000000a2",
        parent_id="00000000000000a1",
        name="embed",
        kind="embedding",
        started_at=start + 0.11,
        ended_at=start + 0.12,
        attributes={"model": "local:all-minilm-l6-v2", "usage": {"prompt": 4, "completion": 0, "cached": 0}},
    )


def _generate(start: float) -> Step:
    return Step(
        id="00000000000000a3",
        parent_id=None,
        name="generate",
        kind="generation",
        started_at=start + 0.25,
        ended_at=start + 4,
        attributes={
            "model": "local:qwen2.5-coder-1.5b",
            "resolved_model": "qwen2.5-coder-1.5b-q4",
            "fingerprint": "fp-1",
            "finish_reason": "stop",
            "parameters": {"temperature": 0.0, "max_tokens": 300},
            "messages": [{"role": "system", "content": "Answer. " * 20}, {"role": "user", "content": "Leave? " * 500}],
            "output": "You have 30 days [1].",
            "usage": {"prompt": 400, "completion": 20, "cached": 150},
            "cost": 0.0021,
            "attempts": [
                _attempt("openai:large", "slow", "openai:large gave no token in 1 s, says the secret passage"),
                _attempt("local:qwen2.5-coder-1.5b", "answered", ""),
            ],
            "first_token_ms": 1500.0,
            "prompt_id": "answer",
            "prompt_version": "langfuse-3",
        },
    )


def _attempt(model: str, outcome: str, reason: str) -> dict[str, Any]:
    return {"model": model, "outcome": outcome, "reason": reason, "tries": 1, "first_token_ms": None, "total_ms": 9.5}


def _verify(start: float) -> Step:
    return Step(
        id="00000000000000a4",
        parent_id="0000000000000bad",
        name="verify",
        kind="evaluator",
        started_at=start + 4,
        ended_at=start + 4.4,
        attributes={
            "claims": [
                {"text": "You have 30 days.", "markers": [1], "support": "supported", "score": 1.0, "reason": ""}
            ],
            "supported_share": 1.0,
            "method": "words",
        },
    )


def _hit(number: int) -> dict[str, Any]:
    return {
        "chunk_id": f"chunk-{number}",
        "uri": f"handbook/leave-{number}.md",
        "page": None,
        "headings": ["Leave"],
        "text": "The secret passage about leave. " * 45,
        "score": 0.9 - number / 10,
        "scores": {"dense": 0.8, "lexical": 11.5},
    }
