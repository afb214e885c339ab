"""Changes of settings by dotted key: read from a command line, put in the place of what is set, written to the file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.durable import replace_text
from rag.errors import ConfigError


def read_changes(told: Sequence[str]) -> dict[str, Any]:
    """What ['retrieve.limit=5', 'roles.answer=openai:gpt-5-mini'] says: TOML values, or texts without quotes.

    Raises ConfigError.
    """
    changes = {}
    for one in told:
        key, equals, value = (part.strip() for part in one.partition("="))
        if not (key and equals):
            raise ConfigError(f"'{one[:60]}' changes nothing", expected="KEY=VALUE, as in retrieve.limit=5")
        changes[key] = _value(value)
    return changes


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the changes in their place. Raises ConfigError for one that a variable overrules."""
    made = dict(values)
    for key, value in changes.items():
        variable = f"PLUMB_{key.replace('.', '__').upper()}"
        if variable in os.environ:
            raise ConfigError(
                f"{variable} is set and wins over a change of {key}",
                expected="one place that says it",
                remedy="unset it",
            )
        made = _with(made, key.split("."), value)
    return made


def current(file: Path, keys: Sequence[str]) -> dict[str, Any]:
    """What the file says of these keys; those that it does not name are left out."""
    values = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    found = {key: _at(values, key.split(".")) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def write_changes(file: Path, changes: Mapping[str, Any], *, without: Sequence[str] = ()) -> None:
    """Put the changes into the config file, whose comments and order stay, and take the keys `without` out of it."""
    import tomlkit

    document = tomlkit.parse(file.read_text(encoding="utf-8") if file.is_file() else "")
    for key, value in changes.items():
        *tables, name = key.split(".")
        place: Any = document
        for table in tables:
            place = place.setdefault(table, tomlkit.table())
        place[name] = value
    for key in without:
        *tables, name = key.split(".")
        place = document
        for table in tables:
            place = place.get(table, {})
        place.pop(name, None)
    replace_text(file, tomlkit.dumps(document))


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _with(values: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    name, *rest = path
    inner = values.get(name, {})
    if not rest:
        return {**values, name: value}
    return {**values, name: _with(inner if isinstance(inner, Mapping) else {}, rest, value)}


def _at(values: Any, path: Sequence[str]) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values
