"""What a trace tells of hits, model calls and answers, as JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rag.errors import ModelError
from rag.observe.record import OpenStep
from rag.types import Answer, Attempt, Generation, Hit, Message

if TYPE_CHECKING:
    from rag.llm.protocol import LLM, Sampling
    from rag.prompts import Prompt


@contextmanager
def failure_noted(step: OpenStep) -> Iterator[None]:
    """Note on the step which models were asked in vain."""
    try:
        yield
    except ModelError as error:
        attempts = [each for each in error.attempts if isinstance(each, Attempt)]
        # Of several the last one is who failed it.
        step.note({"model": attempts[-1].model} if attempts else {})
        step.note({"attempts": [asdict(each) for each in attempts]})
        raise


def of_hit(hit: Hit) -> dict[str, Any]:
    """A hit with its text and the score of every stage."""
    chunk = hit.chunk
    return {
        "chunk_id": chunk.id,
        "uri": chunk.uri,
        "page": chunk.page,
        "headings": list(chunk.headings),
        "text": chunk.text,
        "revision": chunk.revision,
        "readers": list(chunk.readers),
        "score": hit.score,
        "scores": dict(hit.scores),
    }


def of_request(llm: LLM, messages: Sequence[Message], prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
    """What is known of a model call before it is made; of a chain `model` names all who may be asked."""
    return {
        "model": llm.name,
        "parameters": asdict(sampling),
        "messages": [asdict(message) for message in messages],
        "prompt_id": prompt.id,
        "prompt_version": prompt.version,
        "prompt_sha": prompt.sha,
    }


def of_call(generation: Generation) -> dict[str, Any]:
    """What came of a model call: who was asked and who answered, what was said, what it took."""
    return {
        "model": generation.requested_model,
        "resolved_model": generation.resolved_model,
        "fingerprint": generation.fingerprint,
        "finish_reason": generation.finish_reason,
        "output": generation.text,
        "chances": dict(generation.chances),
        "usage": asdict(generation.usage),
        "cost": generation.cost,
        "first_token_ms": generation.first_token_ms,
        "attempts": [asdict(attempt) for attempt in generation.attempts],
    }


def of_answer(answer: Answer) -> Mapping[str, Any]:
    """What an answer came to."""
    return {
        "abstained": answer.abstained,
        "abstention": answer.abstention,
        "citations": [asdict(citation) for citation in answer.citations],
        "supported_share": answer.verdict.supported_share,
        "verdict": asdict(answer.verdict),
        "models": dict(answer.models),
        "usage": asdict(answer.usage),
        "cost": answer.cost,
        "timings_ms": dict(answer.timings_ms),
        **({"given_before": answer.given_before} if answer.given_before else {}),
    }
