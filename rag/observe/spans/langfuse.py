"""Langfuse's names for the attributes of a trace's spans.

What is read of `Trace.attributes`: `session_id`, `user_id`, `tags`, `experiment` and `expected` (`experiment.py`),
`code_version` (Langfuse's release), `abstained` (a tag); all but the first five are also shown as the trace's metadata
(`config_hash`, `models`, `usage`, `citations`, `verdict`, `supported_share`, `index`, `timings_ms` and whatever else
there is).

What is read of `Step.attributes`, by the step's kind; everything else becomes the observation's metadata:

- generation: `messages` [{role, content}], `output` text, `model` as requested, `resolved_model`, `parameters` {},
  `usage` {prompt, completion, cached}, `cost`, `first_token_ms`, `prompt_id`, `prompt_version`; `attempts` [{model,
  outcome, reason, tries, first_token_ms, total_ms}] go to the metadata
- embedding: `model`, `resolved_model`, `usage`, `input`
- retriever: `query`, `dense_weight`, `rerank_failure`, `hits` [{chunk_id, uri, page, headings, text, score, scores}]
- evaluator: `claims`, `supported_share`
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from langfuse import LangfuseOtelSpanAttributes as Name

from rag.observe import experiment
from rag.observe.spans.build import Attributes, Vocabulary, as_json, is_error, shown, string
from rag.prompts import SERVED
from rag.types import Step, Trace

# What has its own place in an observation and is not repeated in its metadata.
PLACED: Mapping[str, frozenset[str]] = {
    "generation": frozenset(("messages", "output", "parameters", "usage", "cost")),
    "embedding": frozenset(("usage", "input")),
    "retriever": frozenset(("query", "hits")),
    "evaluator": frozenset(("claims", "supported_share")),
}
# Facts with a place of their own, too.
ELSEWHERE = ("session_id", "user_id", "tags", "experiment", "expected")
ROOT_TYPES = {"ask": "chain", "search": "chain"}


def _of_every_span(trace: Trace) -> Attributes:
    """What Langfuse wants repeated: it finds a trace by the attributes of any of its observations."""
    facts = trace.attributes
    return {
        Name.TRACE_NAME: trace.name,
        Name.TRACE_TAGS: _tags(trace),
        Name.TRACE_SESSION_ID: string(facts.get("session_id")),
        Name.TRACE_USER_ID: string(facts.get("user_id")),
        Name.RELEASE: string(facts.get("code_version")),
        **experiment.of_every_span(trace.id, facts),
    }


def _tags(trace: Trace) -> list[str]:
    """What kind of trace it is, and what the application calls it."""
    facts = trace.attributes
    own = [trace.name, *(["abstained"] if facts.get("abstained") else [])]
    return list(dict.fromkeys([*own, *map(str, facts.get("tags") or ())]))


def _root(trace: Trace, root: Step) -> Attributes:
    facts = {name: fact for name, fact in trace.attributes.items() if name not in ELSEWHERE}
    return {
        **_of_every_span(trace),
        Name.OBSERVATION_TYPE: ROOT_TYPES.get(trace.name, "span"),
        Name.OBSERVATION_INPUT: shown(trace.input),
        Name.OBSERVATION_OUTPUT: shown(trace.output),
        Name.TRACE_METADATA: as_json(facts),
        **experiment.of_root(trace.attributes),
        **_level(root.error),
    }


def _observation(trace: Trace, step: Step) -> Attributes:
    rest = {name: fact for name, fact in step.attributes.items() if name not in PLACED.get(step.kind, ())}
    return {
        **_of_every_span(trace),
        Name.OBSERVATION_TYPE: step.kind,
        Name.OBSERVATION_METADATA: as_json(rest) if rest else None,
        **_of_kind(step, step.attributes),
        **_level(step.error),
    }


def _of_kind(step: Step, facts: Mapping[str, Any]) -> Attributes:
    match step.kind:
        case "generation":
            return {**_exchange(facts, "messages", "output"), **_model(facts), **_prompt(facts), **_first(step)}
        case "embedding":
            return {Name.OBSERVATION_INPUT: shown(facts.get("input")), **_model(facts)}
        case "retriever":
            return _exchange(facts, "query", "hits")
        case "evaluator":
            verdict = {name: facts[name] for name in ("claims", "supported_share") if name in facts}
            return {Name.OBSERVATION_OUTPUT: as_json(verdict)}
        case _:
            return {}


def _exchange(facts: Mapping[str, Any], given: str, got: str) -> Attributes:
    return {Name.OBSERVATION_INPUT: shown(facts.get(given)), Name.OBSERVATION_OUTPUT: shown(facts.get(got))}


def _model(facts: Mapping[str, Any]) -> Attributes:
    return {
        Name.OBSERVATION_MODEL: string(facts.get("resolved_model") or facts.get("model")),
        Name.OBSERVATION_MODEL_PARAMETERS: shown(facts.get("parameters")),
        Name.OBSERVATION_USAGE_DETAILS: _usage(facts.get("usage")),
        Name.OBSERVATION_COST_DETAILS: _cost(facts.get("cost")),
    }


def _usage(usage: Any) -> str | None:
    """Langfuse adds up every name that begins with 'input': cached tokens are told apart, not counted twice."""
    if not isinstance(usage, Mapping):
        return None
    prompt, completion, cached = (int(usage.get(name) or 0) for name in ("prompt", "completion", "cached"))
    counts = {"input": max(prompt - cached, 0), "output": completion, "total": prompt + completion}
    return as_json({**counts, **({"input_cached_tokens": cached} if cached else {})})


def _cost(cost: Any) -> str | None:
    """Nothing where it is unknown: Langfuse then looks for the model in its own price list."""
    return as_json({"total": cost}) if isinstance(cost, int | float) else None


def _prompt(facts: Mapping[str, Any]) -> Attributes:
    # Langfuse links a prompt of its own by name and number; versions of files stay in the metadata.
    version = str(facts.get("prompt_version", ""))
    number = version.removeprefix(SERVED)
    is_there = version.startswith(SERVED) and number.isdecimal()
    return {
        Name.OBSERVATION_PROMPT_NAME: string(facts.get("prompt_id")) if is_there else None,
        Name.OBSERVATION_PROMPT_VERSION: int(number) if is_there else None,
    }


def _first(step: Step) -> Attributes:
    first_token_ms = step.attributes.get("first_token_ms")
    if not isinstance(first_token_ms, int | float):
        return {}
    moment = datetime.fromtimestamp(step.started_at + first_token_ms / 1000, UTC)
    return {Name.OBSERVATION_COMPLETION_START_TIME: moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def _level(error: str | None) -> Attributes:
    if not error:
        return {}
    level = "ERROR" if is_error(error) else "WARNING"
    return {Name.OBSERVATION_LEVEL: level, Name.OBSERVATION_STATUS_MESSAGE: error}


LANGFUSE = Vocabulary(root=_root, part=_observation)
