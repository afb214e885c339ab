"""OpenTelemetry's names for the attributes of a trace's spans, so that any collector or backend shows them usefully.

The names are those of the semantic conventions for generative AI, version 0.1.0 (repository
open-telemetry/semantic-conventions-genai; in development there), of `error.type` and `user.id` those of the general
ones. What has no name there becomes `plumbline.` and our name. Messages and documents are JSON in a text, as the
conventions allow: not every backend reads structured values. Spans keep the names of the steps: in one answer a model
is asked several times, and `propose` and `generate` tell more than `chat` and the model twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from rag.observe.spans.build import Attributes, Value, Vocabulary, as_json, is_error, shown, string
from rag.types import Step, Trace

OWN = "plumbline."
# The sampling settings that have a name, and ours for them.
SAMPLING = ("temperature", "top_p", "top_k", "max_tokens", "seed", "frequency_penalty", "presence_penalty")
# What has a name of theirs and is not repeated under ours.
PLACED: Mapping[str, frozenset[str]] = {
    "generation": frozenset(
        ("messages", "output", "model", "resolved_model", "usage", "finish_reason", "first_token_ms", "prompt_id")
    ),
    "embedding": frozenset(("model", "resolved_model", "usage")),
    "retriever": frozenset(("query", "hits")),
}
LARGEST_INT = 2**63
# Facts of the trace that each span repeats: backends look for spans, not for traces.
OF_EVERY_SPAN = ("session_id", "user_id", "tags")


def _root(trace: Trace, root: Step) -> Attributes:
    facts = {name: fact for name, fact in trace.attributes.items() if name not in OF_EVERY_SPAN}
    return {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.agent.name": trace.name,
        "gen_ai.input.messages": _said("user", trace.input),
        "gen_ai.output.messages": _said("assistant", trace.output, finish_reason=trace.status),
        **_of_every_span(trace, root),
        **_own(facts),
    }


def _step(trace: Trace, step: Step) -> Attributes:
    placed = PLACED.get(step.kind, ())
    rest = {name: fact for name, fact in step.attributes.items() if name not in placed}
    return {**_of_kind(trace, step), **_of_every_span(trace, step), f"{OWN}kind": step.kind, **_own(rest)}


def _of_every_span(trace: Trace, step: Step) -> Attributes:
    return {
        "gen_ai.conversation.id": string(trace.attributes.get("session_id")),
        "user.id": string(trace.attributes.get("user_id")),
        f"{OWN}tags": [str(tag) for tag in trace.attributes.get("tags") or ()] or None,
        # The class of the exception, or what else stands before its words.
        "error.type": (step.error or "").partition(":")[0][:80] if is_error(step.error) else None,
    }


def _of_kind(trace: Trace, step: Step) -> Attributes:
    facts = step.attributes
    match step.kind:
        case "generation":
            return {"gen_ai.operation.name": "chat", **_model(facts), **_exchange(facts), **_sampling(facts)}
        case "embedding":
            return {"gen_ai.operation.name": "embeddings", **_model(facts)}
        case "retriever":
            return {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.data_source.id": string(trace.attributes.get("index")),
                "gen_ai.retrieval.query.text": shown(facts.get("query")),
                "gen_ai.retrieval.documents": _documents(facts.get("hits")),
            }
        case _:
            return {}


def _model(facts: Mapping[str, Any]) -> Attributes:
    """Who was asked and what it took; cached tokens are among those of the input, as the conventions want it."""
    provider, colon, model = str(facts.get("model") or "").partition(":")
    usage = facts.get("usage")
    told = usage if isinstance(usage, Mapping) else {}
    return {
        "gen_ai.provider.name": provider if colon else None,
        "gen_ai.request.model": (model if colon else provider) or None,
        "gen_ai.response.model": string(facts.get("resolved_model")),
        "gen_ai.usage.input_tokens": _value(told.get("prompt")),
        "gen_ai.usage.output_tokens": _value(told.get("completion")),
        "gen_ai.usage.cache_read.input_tokens": _value(told.get("cached")),
    }


def _exchange(facts: Mapping[str, Any]) -> Attributes:
    first_ms, reason = facts.get("first_token_ms"), string(facts.get("finish_reason"))
    messages = facts.get("messages")
    return {
        "gen_ai.input.messages": as_json([_message(one) for one in messages]) if messages else None,
        "gen_ai.output.messages": _said("assistant", facts.get("output"), finish_reason=reason or ""),
        "gen_ai.response.finish_reasons": [reason] if reason else None,
        "gen_ai.response.time_to_first_chunk": first_ms / 1000 if isinstance(first_ms, int | float) else None,
        "gen_ai.prompt.name": string(facts.get("prompt_id")),
    }


def _sampling(facts: Mapping[str, Any]) -> Attributes:
    given = facts.get("parameters")
    known = given if isinstance(given, Mapping) else {}
    return {f"gen_ai.request.{name}": _value(known[name]) for name in SAMPLING if name in known}


def _said(role: str, text: Any, *, finish_reason: str | None = None) -> str | None:
    """One message as the conventions write it; a message of a model says why it ended."""
    if text is None:
        return None
    ended = {} if finish_reason is None else {"finish_reason": finish_reason}
    return as_json([{**_message({"role": role, "content": shown(text)}), **ended}])


def _message(told: Mapping[str, Any]) -> Mapping[str, Any]:
    content = told.get("content")
    parts = [] if content is None else [{"type": "text", "content": content}]
    return {"role": told.get("role"), "parts": parts}


def _documents(hits: Any) -> str | None:
    """The hits with the names that the conventions have for them first, and all else that is known of them."""
    if not isinstance(hits, list | tuple):
        return None
    renamed = {"chunk_id": "id", "text": "content"}
    return as_json([{renamed.get(name, name): fact for name, fact in hit.items()} for hit in hits])


def _own(facts: Mapping[str, Any]) -> Attributes:
    return {f"{OWN}{name}": _value(fact) for name, fact in facts.items()}


def _value(fact: Any) -> Value:
    """A fact as its own type where OpenTelemetry has it, else as JSON."""
    match fact:
        case None | str() | bool():
            return fact
        case float() if isfinite(fact):
            return fact
        case int() if abs(fact) < LARGEST_INT:
            return fact
        case _:
            return as_json(fact)


GEN_AI = Vocabulary(root=_root, part=_step)
