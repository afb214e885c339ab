"""A trace as JSON text and back, and a trace without the texts in it."""

from __future__ import annotations

import dataclasses
import json
import numbers
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rag.types import Step, Trace

# Strings under these names are ids, addresses and names of things, never words of a question or a document.
# fmt: off
NOT_TEXT = frozenset((
    "id", "chunk_id", "trace_id", "session_id", "user_id", "tags", "prompt_id", "prompt_version", "prompt_sha",
    "revision", "config_hash", "code_version", "uri", "model", "models", "resolved_model", "fingerprint",
    "finish_reason", "outcome", "provider", "role", "rule", "support", "kind", "store", "index", "collection",
    "readers", "history_readers", "given_before",
    "strategy", "decided_by", "abstention", "experiment",
))
# fmt: on


def utf8(text: str) -> str:
    """The text as a file can hold it: half a surrogate pair is legal in a str and in JSON, but not in UTF-8."""
    return text.encode("utf-8", "replace").decode()


def encode(trace: Trace) -> str:
    """The trace as JSON; a value that JSON doesn't know becomes its text, so that recording never fails."""
    fields = {field.name: getattr(trace, field.name) for field in dataclasses.fields(trace)}
    return json.dumps(fields, default=_plain)


def decode(text: str) -> Trace:
    """The trace that `encode` wrote; raises ValueError or TypeError when the text is something else."""
    fields = json.loads(text)
    return Trace(**{**fields, "steps": tuple(Step(**step) for step in fields["steps"])})


def without_content(trace: Trace) -> Trace:
    """The trace without its texts: ids, uris, names of models and all numbers stay, every other string goes.

    What stays is listed (NOT_TEXT), so that a fact which is recorded one day can't leak by being forgotten here.
    """
    return replace(
        trace,
        input=bare_value(trace.input),
        output=bare_value(trace.output),
        attributes=_bare(trace.attributes),
        steps=tuple(_bare_step(step) for step in trace.steps),
    )


def _bare_step(step: Step) -> Step:
    # An exception's words may quote the question; its class does not.
    error = step.error.partition(":")[0] if step.error else step.error
    return replace(step, attributes=_bare(step.attributes), error=error)


def bare_value(value: Any) -> Any:
    """Nothing of a text; of other JSON all but the texts in it."""
    return None if isinstance(value, str) else _bare(value)


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: item if name in NOT_TEXT else _bare(item)
            for name, item in value.items()
            if name in NOT_TEXT or not isinstance(item, str)
        }
    if isinstance(value, (list, tuple)):
        return [_bare(item) for item in value if not isinstance(item, str)]
    return value


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, numbers.Real):  # numpy's scalars
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    return str(value)
