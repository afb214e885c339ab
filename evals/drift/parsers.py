"""What an answer comes to, by a rule that is pinned: the rule alone can move a score by ten points.

A spec is a rule's name, what it looks for, and its version: `label:[yes,no]@1`. A rule never changes; a better one is
another version beside it, and an observation keeps the spec with which it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evals.drift.form import unfenced
from rag.errors import InputError

# Rules whose values are few, so that they have a distribution.
FEW = ("label", "choice")
_SPEC = re.compile(r"(?P<rule>[a-z]+)(?::\[(?P<labels>[^\]]+)\])?(?:@(?P<version>\d+))?")
# Spaces are counted out: an answer may be made so that a pattern takes for ever.
_BRACKETED = re.compile(r"\[([^\[\]\n]{1,60})\]|\\boxed\{([^{}\n]{1,60})\}|\*\*([^*\n]{1,60})\*\*")
_LETTER = re.compile(
    r"\(([A-Z])\)|^[^\w\n]{0,9}([A-Z])(?=[.):]|[ \t]{0,9}$)|\b(?i:answer|option|choice)(?: is)?:?\s+"
    r"([A-Z])\b(?! [a-z])",
    re.MULTILINE,
)
_NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:[.,]\d+)*")
_BOXED = re.compile(r"\[\s{0,4}([-−]?\d[\d.,]{0,60})\s{0,4}\]|boxed\{\s{0,4}([-−]?\d[\d.,]{0,60})")
_CONCLUDES = re.compile(r"(?:answer|total|result|therefore|so)\b[^.\n\d]{0,40}?([-−]?\d+(?:[.,]\d+)*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a rule made of an answer: a value, or why there is none."""

    value: str | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """A rule with its version; `labels` are what a rule 'label' looks for."""

    rule: str
    version: int
    labels: tuple[str, ...] = ()

    @property
    def spec(self) -> str:
        """The rule as it is kept: 'label:[yes,no]@1'."""
        looked_for = f":[{','.join(self.labels)}]" if self.labels else ""
        return f"{self.rule}{looked_for}@{self.version}"

    @property
    def has_few_values(self) -> bool:
        """Whether its values are labels, whose shares can be compared."""
        return self.rule in FEW

    def read(self, text: str) -> Read:
        """The value of an answer."""
        return _RULES[self.rule, self.version](text, self.labels)

    def masked(self, text: str) -> str:
        """The answer with its value made the same for all: 'Yes' is not of another form than 'No'."""
        match self.rule:
            case "label":
                either = "|".join(map(re.escape, self.labels))
                return re.sub(rf"(?<!\w)(?:{either})(?!\w)", "Label", text, flags=re.IGNORECASE)
            case "choice":
                return re.sub(r"\b[A-Z]\b", "X", text)
            case "number":
                return _NUMBER.sub("0", text)
            case _:
                return text


def parser_of(spec: str) -> Parser:
    """The parser that a spec names, in its newest version where it names none. Raises InputError."""
    found = _SPEC.fullmatch(spec.strip())
    rule = found["rule"] if found else ""
    versions = [version for name, version in _RULES if name == rule]
    version = int(found["version"]) if found and found["version"] else max(versions, default=0)
    labels = tuple(filter(None, (label.strip() for label in (found["labels"] or "").split(",")))) if found else ()
    if version not in versions or bool(labels) != (rule == "label"):
        known = ", ".join(f"{name}{':[yes,no]' if name == 'label' else ''}@{number}" for name, number in _RULES)
        raise InputError(f"unknown parser '{spec[:80]}'", expected=f"one of {known}", remedy="choose another")
    return Parser(rule=rule, version=version, labels=labels)


def _label(text: str, labels: tuple[str, ...]) -> Read:
    """The last label in brackets, in a box or in bold; else the one it begins with; else the only one it names."""
    by_name = {label.casefold(): label for label in labels}
    marked = [next(filter(None, groups)).strip(" .\t").casefold() for groups in _BRACKETED.findall(text)]
    if known := [by_name[name] for name in marked if name in by_name]:
        return Read(value=known[-1])
    either = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, by_name))})(?!\w)")
    found = list(either.finditer(text.casefold()))
    if found and not re.search(r"\w", text[: found[0].start()]):
        return Read(value=by_name[found[0][1]])
    named = {by_name[one[1]] for one in found}
    if len(named) == 1:
        return Read(value=named.pop())
    return Read(value=None, why=f"names {len(named) or 'none'} of the labels")


def _choice(text: str, labels: tuple[str, ...]) -> Read:  # noqa: ARG001 - as all rules
    """The letter in parentheses, at the beginning of a line, or after 'answer'; only if all such letters are one."""
    named = {next(filter(None, groups)) for groups in _LETTER.findall(text.replace("*", ""))}
    if len(named) == 1:
        return Read(value=named.pop())
    return Read(value=None, why=f"names {len(named) or 'no'} letters")


def _number(text: str, labels: tuple[str, ...]) -> Read:  # noqa: ARG001
    """The last number in brackets or a box; else after 'answer' or 'total'; else the last one."""
    boxed = [next(filter(None, groups)) for groups in _BOXED.findall(text)]
    found = boxed or _CONCLUDES.findall(text) or _NUMBER.findall(text)
    if not found:
        return Read(value=None, why="no number")
    value = _digits(found[-1])
    if not re.fullmatch(r"-?\d{1,60}(?:\.\d+)?", value):
        return Read(value=None, why=f"'{value[:20]}' is no number")
    return Read(value=value)


def _digits(told: str) -> str:
    """A number without the marks of thousands: '1,028.50' -> '1028.5', '0,38' -> '0.38'."""
    bare = told.strip(".,").replace("−", "-")
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", bare):
        bare = bare.replace(",", "")
    elif re.fullmatch(r"-?\d{1,3}(?:\.\d{3})+,\d+|-?\d{1,3}(?:\.\d{3}){2,}", bare):
        bare = bare.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"-?\d+,\d+", bare):
        bare = bare.replace(",", ".")
    whole, dot, rest = bare.partition(".")
    rest = rest.rstrip("0")
    return f"{whole}{dot}{rest}" if rest else whole


def _json(text: str, labels: tuple[str, ...]) -> Read:  # noqa: ARG001
    """The first JSON object or list, fences aside, with its keys in order."""
    body = unfenced(text).strip()
    start = re.search(r"[{\[]", body)
    if start is None:
        return Read(value=None, why="no JSON")
    try:
        value, _ = json.JSONDecoder().raw_decode(body[start.start() :])
        return Read(value=json.dumps(value, sort_keys=True, ensure_ascii=False))
    except (ValueError, RecursionError) as error:
        return Read(value=None, why=f"broken JSON: {error}")


def _code(text: str, labels: tuple[str, ...]) -> Read:  # noqa: ARG001
    """The longest fenced block, else all of it; without spaces at the ends of lines."""
    lines = [line.rstrip() for line in unfenced(text).strip("\n").splitlines()]
    body = "\n".join(line for line in lines if line)
    return Read(value=body) if body else Read(value=None, why="empty")


def _text(text: str, labels: tuple[str, ...]) -> Read:  # noqa: ARG001
    """All of it."""
    return Read(value=text.strip()) if text.strip() else Read(value=None, why="empty")


_RULES: Mapping[tuple[str, int], Callable[[str, tuple[str, ...]], Read]] = {
    ("label", 1): _label,
    ("choice", 1): _choice,
    ("number", 1): _number,
    ("json", 1): _json,
    ("code", 1): _code,
    ("text", 1): _text,
}
