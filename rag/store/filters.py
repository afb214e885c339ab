"""A scope as a filter of Qdrant, for the embedded engine and for the server's client, whose classes differ in name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rag.scope import moment, number
from rag.store.protocol import PATH, READERS
from rag.types import Condition, Scope

BOUNDS: Mapping[str, str] = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The classes of one library."""

    whole: Callable[..., Any]
    field: Callable[..., Any]
    any_of: Callable[..., Any]
    numbers: Callable[..., Any]
    times: Callable[..., Any]


def conditions(scope: Scope, of: Dialect) -> tuple[list[Any], list[Any]]:
    """What must hold and what must not, for a chunk to be within the scope; the readers are always among it."""
    must = [of.field(key=READERS, match=of.any_of(any=list(scope.readers)))]
    must += [_required(one, of) for one in scope.where if one.operator != "!="]
    return must, [_equal(one, of) for one in scope.where if one.operator == "!="]


def _required(one: Condition, of: Dialect) -> Any:
    if one.operator == "=":
        return _equal(one, of)
    (limit,) = one.values
    bound = BOUNDS[one.operator]
    ranges = []
    if (value := number(limit)) is not None:
        ranges.append(of.field(key=_key(one), range=of.numbers(**{bound: value})))
    if told := moment(limit):
        ranges.append(of.field(key=_key(one), range=of.times(**{bound: told.isoformat()})))
    return of.whole(should=ranges)


def _equal(one: Condition, of: Dialect) -> Any:
    """Any of the values, as text and as a number."""
    options = [of.field(key=_key(one), match=of.any_of(any=list(one.values)))]
    numbers = [value for text in one.values if (value := number(text)) is not None]
    options += [of.field(key=_key(one), range=of.numbers(gte=value, lte=value)) for value in numbers]
    return of.whole(should=options)


def _key(one: Condition) -> str:
    return PATH if one.field == "path" else f"fields.{one.field}"
