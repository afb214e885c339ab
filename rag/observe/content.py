"""How much of what was said a trace keeps: all, all but what names a person, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rag.observe.codec import bare_value, without_content
from rag.observe.mask import Mask, masked, masked_feedback, masked_value, patterns
from rag.sections import Tracing
from rag.types import Feedback, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is kept of traces and feedback; `mask` is used by 'masked' alone."""

    policy: Literal["full", "masked", "none"] = "full"
    mask: Mask = str

    def of_trace(self, trace: Trace) -> Trace:
        """The trace as it is kept."""
        match self.policy:
            case "full":
                return trace
            case "masked":
                return masked(trace, self.mask)
            case "none":
                return without_content(trace)

    def of_value(self, value: Any) -> Any:
        """A text, or JSON with texts in it, as it is kept."""
        match self.policy:
            case "full":
                return value
            case "masked":
                return masked_value(value, self.mask)
            case "none":
                return bare_value(value)

    def of_feedback(self, said: Feedback) -> Feedback:
        """The feedback as it is kept: people write it to be read, so it is masked at most."""
        return masked_feedback(said, self.mask) if self.policy == "masked" else said


def content(rules: Tracing) -> Content:
    """What the settings keep. Raises ConfigError for a pattern that is no regular expression.

    And for Presidio: MissingExtra without its extra, ConfigError for a model that is not installed.
    """
    return Content(policy=rules.content, mask=_mask(rules) if rules.content == "masked" else str)


def _mask(rules: Tracing) -> Mask:
    found = patterns(rules.patterns)
    if not rules.presidio.models:
        return found
    from rag.observe.presidio import names

    return names(found, rules.presidio)
