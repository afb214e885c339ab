"""Who may find what: conditions read from text, and chunks held against a scope."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from math import isfinite
from operator import ge, gt, le, lt
from typing import Any

from rag.errors import InputError
from rag.types import EVERYONE, Chunk, Condition, FieldValue, Scope

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
# What a condition calls the place of a document: no field can be called so.
_PATH = "path"
_CONDITION = re.compile(r"\s*([A-Za-z]\w*)\s*(<=|>=|!=|<|>|=)\s*(.+?)\s*", re.DOTALL)
_BEYOND = {"<": lt, "<=": le, ">": gt, ">=": ge}


def is_reader(name: str) -> bool:
    """Whether this names readers: 'everyone', 'user:NAME' or 'group:NAME'."""
    kind, colon, rest = name.partition(":")
    return name == EVERYONE or bool(kind in ("user", "group") and colon and rest.strip())


def reading_as(names: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The user and the groups that 'user:NAME' and 'group:NAME' name. Raises InputError; two users are no one."""
    given = tuple(names)
    users = [name.removeprefix("user:") for name in given if name.startswith("user:")]
    wrong = next((name for name in given if not is_reader(name)), users[1] if len(users) > 1 else None)
    if wrong is not None:
        raise InputError(
            f"'{wrong}' as a reader",
            expected="'user:NAME', once, and 'group:NAME'",
            remedy="for example --as user:ada --as group:people",
        )
    groups = tuple(name.removeprefix("group:") for name in given if name.startswith("group:"))
    return next(iter(users), ""), groups


def field_value(name: str, value: Any) -> FieldValue:
    """A value that a document may be labelled with: dates as ISO 8601 text, truths as 'true' and 'false'.

    Raises ValueError for anything else, and for a name that can't be one.
    """
    if name == _PATH or not _NAME.fullmatch(name):
        raise ValueError(f"the name {name[:100]!r} of a field is no word of at most 64 letters and digits, or 'path'")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int) or (isinstance(value, float) and isfinite(value)):
        return value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise ValueError(f"{name} is neither text, finite number, date, true or false, nor a list of texts")


def condition(text: str) -> Condition:
    """'team=people,legal', 'year>=2024', 'date<2026-03-01', 'path=handbook/hr', 'draft!=true'. Raises InputError."""
    found = _CONDITION.fullmatch(text)
    if not found:
        raise _unreadable(text, "a field, one of = != < <= > >= and a value")
    field, operator, value = found.groups()
    values = tuple(part.strip() for part in value.split(",")) if operator in ("=", "!=") else (value,)
    if field == _PATH:
        # As a shell completes folders: "docs/hr/" and "./docs/hr".
        values = tuple(one.removeprefix("./").rstrip("/") or one for one in values)
    if operator in _BEYOND and number(value) is None and moment(value) is None:
        raise _unreadable(text, "a number or a date such as 2026-03-01 after < or >")
    return Condition(field=field, operator=operator, values=values)  # type: ignore[arg-type]


def _unreadable(text: str, expected: str) -> InputError:
    return InputError(f"the condition '{text}'", expected=expected, remedy="for example 'team=people' or 'year>=2024'")


def allows(scope: Scope, chunk: Chunk) -> bool:
    """Whether a chunk may be found: the person is among its readers, and every condition holds."""
    is_reader = not set(scope.readers).isdisjoint(chunk.readers)
    return is_reader and all(_holds(one, chunk) for one in scope.where)


def folders(uri: str) -> list[str]:
    """The document and every folder above it: 'a', 'a/b', 'a/b/c.md'."""
    parts = uri.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1) if parts[end - 1]]


def number(text: str) -> float | None:
    """The finite number that a text is, if it is one."""
    try:
        told = float(text)
    except ValueError:
        return None
    return told if isfinite(told) else None


def moment(text: str) -> datetime | None:
    """The moment that an ISO 8601 text names, if it does; without an offset it is UTC."""
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _holds(one: Condition, chunk: Chunk) -> bool:
    has = folders(chunk.uri) if one.field == _PATH else _each(chunk.fields.get(one.field, ()))
    if one.operator in _BEYOND:
        return any(_is_beyond(one, value) for value in has)
    return any(_is(value, wanted) for value in has for wanted in one.values) == (one.operator == "=")


def _each(value: FieldValue) -> Sequence[FieldValue]:
    return value if isinstance(value, tuple) else (value,)


def _is(value: FieldValue, wanted: str) -> bool:
    return number(wanted) == value if isinstance(value, int | float) else value == wanted


def _is_beyond(one: Condition, value: FieldValue) -> bool:
    (limit,) = one.values
    beyond = _BEYOND[one.operator]
    if isinstance(value, int | float):
        bound = number(limit)
        return bound is not None and beyond(value, bound)
    told, bound_at = moment(str(value)), moment(limit)
    return told is not None and bound_at is not None and beyond(told, bound_at)
