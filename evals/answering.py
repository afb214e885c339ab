"""The settings that can change an answer: a digest of them all, and which of them differ between then and now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from evals.changes import ABSENT, by_key
from rag.settings import Settings

# What people see of an answer, where it goes, what may be spent, what is done when, and what decides on runs: no part
# of how it is made. Who ran out of budget is to go on with more.
BESIDE = ("ui", "trace", "langfuse", "otlp", "budget", "gate", "jobs", "notify")
# So many are told, so much of each, and of that so much before the place where it differs.
MOST, MOST_CHARS, BEFORE_CHARS = 5, 40, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A setting as it was and as it is now, by dotted key, for people."""

    key: str
    then: str
    now: str

    @property
    def start(self) -> int:
        """Where to begin to tell a long one: a little before the place where it differs."""
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(self.then, self.now, strict=False))
        return max(sum(1 for _ in alike) - BEFORE_CHARS, 0)


def answering_hash(settings: Settings) -> str:
    """12 hex digits that change whenever a setting changes that can change an answer."""
    return settings.config_hash(without=BESIDE)


def differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Differing]:
    """Those of two shown settings that can change an answer and are not the same; what is not shown is not told."""
    before, after = _told(then), _told(now)
    return [
        Differing(key=key, then=before.get(key, ABSENT), now=after.get(key, ABSENT))
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    ]


def then_and_now(found: Sequence[Differing]) -> tuple[str, str]:
    """Both sides in words, which are never the same: 'retrieve.limit 20', 'retrieve.limit 1'."""
    rest = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    then = ", ".join(f"{one.key} {_part(one.then, one.start)}" for one in found[:MOST])
    return f"{then}{rest}", ", ".join(f"{one.key} {_part(one.now, one.start)}" for one in found[:MOST])


def _part(value: str, start: int) -> str:
    """So much of a long value that the place where it differs is in it."""
    if len(value) <= MOST_CHARS:
        return value
    part = value[start : start + MOST_CHARS]
    return f"{'…' if start else ''}{part}{'…' if start + MOST_CHARS < len(value) else ''}"


def _told(config: Mapping[str, Any]) -> dict[str, str]:
    """By dotted key. Whether the variable of a secret is set is no difference: the same may be set again."""
    answering = {section: values for section, values in config.items() if section not in BESIDE}
    return {key: value.removesuffix(" (set)").removesuffix(" (not set)") for key, value in by_key(answering).items()}
