"""A case as an item of a Langfuse dataset and back: nothing of it is lost.

There an item has three parts: the input (`question`, `history`), the expected output (what is expected) and metadata
(everything else, and `case`, the case's id). Items that people made there have texts, or a `question`, instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evals.dataset import read_case
from rag.case import Case, case_line
from rag.errors import InputError

# Longer ids are refused.
MAX_ID_CHARS = 255
_INPUT = ("question", "history")
_EXPECTED = ("expected", "facts", "sources", "evidence", "answerable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item as it is there: its id, and its three parts as JSON values."""

    id: str
    input: Any
    expected: Any
    metadata: Any


def item_id(dataset: str, case_id: str) -> str:
    """The id of a case's item: an id is there once in a project, whatever the dataset."""
    told = f"{dataset}:{case_id}"
    return told if len(told) <= MAX_ID_CHARS else f"case-{hashlib.sha256(told.encode()).hexdigest()}"


def item_of(case: Case, item: str) -> Item:
    """The case as the item with this id."""
    told = json.loads(case_line(case))
    rest = {name: value for name, value in told.items() if name not in ("id", *_INPUT, *_EXPECTED)}
    return Item(
        id=item,
        input={name: told[name] for name in _INPUT if name in told},
        expected={name: told[name] for name in _EXPECTED if name in told},
        metadata={"case": case.id, **rest},
    )


def case_id(item: Item, dataset: str) -> str:
    """The id of the item's case: a copy that somebody made there is a case of its own."""
    told = item.metadata.get("case") if isinstance(item.metadata, Mapping) else None
    is_ours = isinstance(told, str) and item.id in (told, item_id(dataset, told))
    return str(told) if is_ours else item.id


def case_of(item: Item, dataset: str) -> Case:
    """The item as a case. Raises InputError for one that is none; people's own are imported, and count as confirmed."""
    name = case_id(item, dataset)
    is_pushed = isinstance(item.metadata, Mapping) and "case" in item.metadata
    told = {**_input(item, name), **_expected(item, name)}
    rest = {key: value for key, value in item.metadata.items() if key != "case"} if is_pushed else _IMPORTED
    return read_case(json.dumps({**rest, **told, "id": name}), where=f"the item '{name}' in Langfuse")


_IMPORTED: Mapping[str, Any] = {"origin": "imported", "confirmed": True}


def _input(item: Item, name: str) -> dict[str, Any]:
    if isinstance(item.input, Mapping):
        return {key: item.input[key] for key in _INPUT if key in item.input}
    if isinstance(item.input, str):
        return {"question": item.input}
    raise _unusable(name, "its input is no question", "a text, or an object with 'question'")


def _expected(item: Item, name: str) -> dict[str, Any]:
    match item.expected:
        case None:
            return {}
        case str(text):
            return {"expected": text}
        case {**told} if set(told) <= set(_EXPECTED):
            return {str(key): value for key, value in told.items()}
    raise _unusable(name, "its expected output is no answer", f"a text, or an object of {', '.join(_EXPECTED)}")


def _unusable(name: str, seen: str, expected: str) -> InputError:
    return InputError(
        f"the item '{name}' in Langfuse can't be a case: {seen}", expected=expected, remedy="mend it there"
    )
