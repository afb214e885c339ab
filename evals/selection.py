"""Which part of a dataset was asked: what nobody chose is left out, so that a part has one name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def chosen(selection: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen; nothing where all was asked."""
    return {name: value for name, value in selection.items() if value}


def in_words(selection: Mapping[str, Any]) -> str:
    """A selection for people: 'split dev, tags hr table, limit 5'; '' where all was asked."""
    return ", ".join(f"{name} {_told(value)}" for name, value in chosen(selection).items())


def _told(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
