"""What of a trace others may see: nothing that was written in a passage which is not theirs to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rag.observe.codec import without_content
from rag.types import EVERYONE, Scope, Trace


def visible(trace: Trace, scope: Scope) -> Trace:
    """The trace; without any text if a passage in it, or in the conversation before, is not this person's to read.

    The answer, the prompts and the claims tell what the passages say, so it is all or nothing.
    """
    own = set(scope.readers)
    if all(own.intersection(readers) for readers in _readers(trace)):
        return trace
    hidden = without_content(trace)
    return replace(hidden, attributes={**hidden.attributes, "withheld": True})


def _readers(trace: Trace) -> Iterator[list[str]]:
    """For each passage who may read it."""
    yield from _lists(trace.attributes.get("history_readers", []))
    for step in trace.steps:
        yield from _lists([hit.get("readers", [EVERYONE]) for hit in step.attributes.get("hits", [])])


def _lists(told: Any) -> Iterator[list[str]]:
    yield from (list(readers) for readers in told)
