"""What of a text names a person or opens a door, taken out before a trace is written: [mail], [phone], [card], [key].

Patterns find what has a form. Names and addresses of people have none, and stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag.errors import ConfigError
from rag.observe.codec import NOT_TEXT
from rag.types import Feedback, Step, Trace

# Each repetition is bounded or of characters that what follows can't be, so that no text takes long.
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_CARD = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
# +49 (0)30 1234-567, 0049 30 1234567, 030 / 123 45 67, (555) 123-4567, 555-123-4567: not 2026-11-26, not 1,000 000.
_PHONE = re.compile(
    r"(?<![\w.,+-])(?:(?:\+|00)[1-9]\d{0,2}(?:[ ()/.-]{1,3}\d|\d){6,13}"
    r"|\(?0\d{1,5}\)?[ /-]{1,3}\d(?:[ -]?\d){4,9}"
    r"|(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4})(?![\w-])"
)
_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:(?!-----)[\s\S]){0,20000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}|\b(?:sk|pk|rk)[-_](?:live|test|lf|proj)[-_][A-Za-z0-9_-]{12,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{20,}"
    r"|\bglpat-[\w-]{20,}|\bxox[abeprs]-[\w-]{10,}|\bhf_[A-Za-z0-9]{30,}"
)
# Behind a name and a colon or an equals sign. The name stays: what it was is of use, and no secret.
_NAMED_KEY = re.compile(
    r"(?i)(?<![a-z0-9])((?:[a-z0-9]{1,30}[_-]){0,4}(?:password|passwd|passwort|kennwort|passphrase|secret|api[_-]?key"
    r"|access[_-]?key|token)[\"']?\s{0,3}[:=]\s{0,3}[\"']?)[^\s\"',;]{6,}"
    r"|(?i:\b(bearer ))[A-Za-z0-9._~+/=-]{16,}"
)

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """The built-in patterns, then own ones by name; what one of these finds becomes [name]."""

    own: Mapping[str, re.Pattern[str]]

    def __call__(self, text: str) -> str:
        """The text without what the patterns find."""
        text = _KEY.sub("[key]", text)
        text = _NAMED_KEY.sub(lambda found: f"{found[1] or found[2]}[key]", text)
        text = _MAIL.sub("[mail]", text)
        text = _CARD.sub(lambda found: "[card]" if _is_card(found.group()) else found.group(), text)
        text = _PHONE.sub("[phone]", text)
        for name, pattern in self.own.items():
            text = pattern.sub(f"[{name}]", text)
        return text


def patterns(own: Mapping[str, str]) -> Patterns:
    """The patterns with own regular expressions by name; raises ConfigError for one that is none."""
    compiled = {}
    for name, expression in own.items():
        try:
            compiled[name] = re.compile(expression)
        except re.error as error:
            raise ConfigError(
                f"trace.patterns.{name} is no regular expression: {error}", expected="one that Python's re reads"
            ) from None
    return Patterns(own=compiled)


def masked(trace: Trace, mask: Mask) -> Trace:
    """The trace with every text masked; ids, addresses and names of things stay (`codec.NOT_TEXT`)."""
    return replace(
        trace,
        input=masked_value(trace.input, mask),
        output=masked_value(trace.output, mask),
        attributes=masked_value(trace.attributes, mask),
        steps=tuple(_masked_step(step, mask) for step in trace.steps),
    )


def masked_feedback(said: Feedback, mask: Mask) -> Feedback:
    """The feedback with its texts masked."""
    return replace(said, comment=mask(said.comment), correction=mask(said.correction))


def _masked_step(step: Step, mask: Mask) -> Step:
    error = mask(step.error) if step.error else step.error
    return replace(step, attributes=masked_value(step.attributes, mask), error=error)


def masked_value(value: Any, mask: Mask) -> Any:
    """A text, or JSON with texts in it, masked."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {name: item if name in NOT_TEXT else masked_value(item, mask) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [masked_value(item, mask) for item in value]
    return value


def _is_card(digits: str) -> bool:
    """Whether the check digit fits: ISO/IEC 7812-1, annex B (Luhn)."""
    told = [int(digit) for digit in reversed(digits) if digit.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in told[1::2])
    return (sum(told[::2]) + sum(doubled)) % 10 == 0
