"""What of a text names a person or opens a door, taken out before a trace is written: [mail], [phone], [card], [iban],
[key].

Patterns find what has a form. Names and addresses of people have none, and stay, unless `presidio.py` finds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag.errors import ConfigError
from rag.observe.codec import NOT_TEXT
from rag.types import Feedback, Step, Trace

# Each repetition is bounded or of characters that what follows can't be, so that no text takes long. What a pattern may
# begin with stands first where that spares time, and what may stand before it behind that.
_MAIL = re.compile(r"(?<![\w.+%-])[\w.+%-][\w.+%'-]{0,100}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
# The countries' lengths are left to the check digits, and the end to the groups.
_IBAN = re.compile(r"[A-Z](?<![A-Za-z0-9].)[A-Z]\d{2}(?:[ \u00a0]?[A-Z0-9]{4}){2,7}(?:[ \u00a0]?[A-Z0-9]{1,3})?(?!\w)")
# 14 digits and more, as shorter ones are history, and what begins with 1 is a time in milliseconds.
_CARD = re.compile(r"[2-6](?<![\w+-].)(?:[ \u00a0-]?\d){13,18}(?![\w-])")
# +49 (0)30 1234-567, 0049 30 1234567, 030 / 123 45 67, 01.23.45.67.89, (555) 123-4567, 1-555-123-4567, 8 (495)
# 123-45-67: not 2026-11-26, not 01-02-2026, not 1,000 000, not the order 0012345678.
_PHONE = re.compile(
    r"(?=[+(\d])(?<![\w.,+-])(?:"
    r"(?:\+|00(?=[1-9]\d{0,2}[ \u00a0()/.-]|\d{10}))[1-9]\d{0,2}(?:[ \u00a0()/.-]{1,3}\d|\d){6,13}"
    r"|(?!0\d([ /-])[0-3]?\d\1(?:19|20)\d\d(?!\d))\(?0\d{1,5}\)?[ \u00a0/-]{1,3}\d(?:[ \u00a0-]?\d){4,9}"
    r"|0\d(?:\.\d\d){4}"
    r"|(?:1[ .-])?(?:\(\d{3}\) ?|[2-9]\d\d[-.])\d{3}[-.]\d{4}"
    r"|(?:8 ?)?\(\d{3}\) ?\d{3}-\d\d-\d\d)(?![\w-])"
)
_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----)[\s\S]){0,20000}"
    r"(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?"
    # JSON web tokens, signed (three parts) and sealed (five, of which the second may be empty)
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]*\.[\w-]{8,}(?:\.[\w-]{8,}){0,2}"
    r"|\b(?:sk-(?=[A-Za-z_-]{0,99}\d)[A-Za-z0-9_-]{20,}|[spr]k[-_](?:live|test|lf|proj)[-_][A-Za-z0-9_-]{12,}"
    r"|A[KS]IA[0-9A-Z]{16}\b|AIza[\w-]{35}|AGE-SECRET-KEY-1[0-9A-Z]{50,}"
    r"|(?:gh[pousr]|hf|npm|gsk|ntn|r8|glsa|lin_api|shp(?:at|ca|pa|ss)|do[opr]_v1)_[A-Za-z0-9]{30,}(?:_[0-9a-f]{8})?"
    r"|github_pat_\w{20,}"
    r"|(?:glpat|GOCSPX)-[\w-]{20,}|(?:xox[abeprs]|xapp)-[\w-]{10,}|(?:nvapi|pplx|xai|pypi)-[\w-]{40,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|ya29\.[\w-]{20,}|(?:SK|key-|dapi)[0-9a-f]{32}\b|\d{8,10}:AA[\w-]{33}"
    r"|hooks\.slack\.com/services/[\w/]{20,})"
)
# Behind a name and a colon or an equals sign. The name stays: what it was is of use, and no secret.
_NAMED_KEY = re.compile(
    r"(?=[-AaBbCcKkMmPpSsTt])(?:(?<![A-Za-z0-9])|(?<=[a-z])(?=[A-Z]))(?i:"
    r"((?:passw(?:or)?d|passwort|kennwort|passphrase|passcode|pwd|pass(?==)|mot de passe|contraseña|secret|token"
    r"|(?:api|access|account|private)[_-]?key)\\?[\"']?\s{0,3}[:=：]\s{0,3}\\?[\"']?)"
    r"(?:(?<=\")[^\"\\\n]{6,200}(?=\\?\")|(?<=')[^'\\\n]{6,200}(?=\\?')|(?:[^\s\"',;\\]|\\(?![\"'])){6,})"
    r"|(bearer |authorization: ?basic )[A-Za-z0-9._~+/=-]{16,}"
    r"|(--(?:password|secret|token|api-key) )[^\s\"',;-][^\s\"',;]{5,})"
)
_IN_ADDRESS = re.compile(r"(://[^\s/:@?#]{0,100}:)[^\s/@]{1,200}(?=@)|([?&]sig=)[^\s&\"'<>]{16,}")

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """The built-in patterns, then own ones by name; what one of these finds becomes [name]."""

    own: Mapping[str, re.Pattern[str]]

    @property
    def names(self) -> tuple[str, ...]:
        """What stands in brackets for what was found."""
        return ("mail", "phone", "card", "iban", "key", *self.own)

    def __call__(self, text: str) -> str:
        """The text without what the patterns find."""
        text = _KEY.sub("[key]", text)
        for named in (_NAMED_KEY, _IN_ADDRESS):
            text = named.sub(lambda found: f"{found[found.lastindex or 0]}[key]", text)
        text = _MAIL.sub("[mail]", text)
        text = _IBAN.sub(lambda found: _without_iban(found.group()), text)
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


def _without_iban(text: str) -> str:
    """The text without the account number that it begins with; the groups behind it are words in capitals."""
    ends = [len(text), *(at for at in range(len(text) - 1, 14, -1) if text[at].isspace())]
    return next((f"[iban]{text[end:]}" for end in ends if _is_iban(text[:end])), text)


def _is_iban(text: str) -> bool:
    """Whether the check digits fit: ISO 13616-1, with the check of ISO/IEC 7064 (MOD 97-10)."""
    told = "".join(text.split())
    return len(told) >= 15 and int("".join(str(int(one, 36)) for one in told[4:] + told[:4])) % 97 == 1
