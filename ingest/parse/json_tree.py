"""JSON as lines 'path: value'; arrays of flat objects as tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ingest.parse.elements import Element, Parsed
from ingest.parse.encoding import decode, opened
from ingest.parse.tables import packed, record_line
from rag.errors import DocumentError

_PATH_CHARS = 200
_LIST_CHARS = 200
_ROWS = 300
_TITLES = ("title", "name")


def parse_json(data: bytes) -> Parsed:
    """A JSON file; one of several documents, each on its line, is read as NDJSON."""
    try:
        value = _value(decode(data))
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise _damaged(error) from error
        return parse_ndjson(data)
    stated = [value[key] for key in _TITLES if isinstance(value, dict) and isinstance(value.get(key), str)]
    return Parsed(title=next(iter(stated), ""), elements=data_elements(value))


def parse_ndjson(data: bytes) -> Parsed:
    """A file with a JSON document on every line, read on while it is taken."""
    return Parsed(title="", elements=_line_elements(_documents(data)))


def _documents(data: bytes) -> Iterator[Any]:
    for number, line in enumerate(opened(data), 1):
        if line.strip():
            try:
                yield _value(line)
            except json.JSONDecodeError as error:
                raise _damaged(error, f"line {number}: ") from error


def _value(source: str) -> Any:
    # Numbers stay as they are written: 1.10 is not 1.1.
    return json.loads(source, parse_int=str, parse_float=str, parse_constant=str)


def _damaged(error: json.JSONDecodeError, place: str = "") -> DocumentError:
    return DocumentError(f"{place}it is no JSON: {error}", expected="intact JSON", remedy="mend it there")


def data_elements(value: Any, path: str = "", *, levels: int = 3) -> Iterator[Element]:
    """The plain values of an object together, each of its other members and each item of an array by itself."""
    if not isinstance(value, dict):
        yield from _member(path, value, levels)
        return
    plain = {key: member for key, member in value.items() if not _is_nested(member)}
    yield from _texts(_lines(plain, path))
    for key, member in value.items():
        if key not in plain:
            yield from _member(_below(path, key), member, levels)


def _member(path: str, value: Any, levels: int) -> Iterator[Element]:
    if isinstance(value, dict) and levels and _holds_table(value, levels):
        yield from data_elements(value, path, levels=levels - 1)
    elif not isinstance(value, list) or not any(map(_is_nested, value)):
        yield from _texts(_lines(value, path))
    elif _is_table(value):
        if path:
            yield Element(kind="text", text=f"{path}:")
        yield from _tables(value)
    else:
        for number, item in enumerate(value):
            yield from _texts(_lines(item, f"{path}[{number}]"))


def _holds_table(value: Mapping[str, Any], levels: int) -> bool:
    members = value.values()
    return any(isinstance(member, list) and member and _is_table(member) for member in members) or (
        levels > 1 and any(isinstance(member, dict) and _holds_table(member, levels - 1) for member in members)
    )


def _line_elements(documents: Iterable[Any]) -> Iterator[Element]:
    """Neighbouring flat objects with the same keys are rows of a table, everything else stands alone."""
    rows: list[Mapping[str, Any]] = []
    for document in documents:
        is_row = isinstance(document, dict) and _is_flat(document)
        if rows and not (is_row and document.keys() == rows[0].keys() and len(rows) < _ROWS):
            yield from _tables(rows)
            rows = []
        if is_row:
            rows.append(document)
        else:
            yield from data_elements(document)
    yield from _tables(rows)


def _tables(rows: Sequence[Mapping[str, Any]]) -> Iterator[Element]:
    lines = (record_line(list(row), [_plain(value) for value in row.values()]) for row in rows)
    yield from (Element(kind="table", text=text) for text in packed(lines))


def _texts(lines: Iterable[str]) -> Iterator[Element]:
    yield from (Element(kind="text", text=text) for text in packed(lines))


def _lines(value: Any, path: str) -> Iterator[str]:
    """'path: value' for everything below; empty values are left out."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _lines(member, _below(path, key))
    elif isinstance(value, list):
        yield from _list_lines(value, path)
    elif text := _plain(value):
        yield f"{path}: {text}" if path else text


def _below(path: str, key: str) -> str:
    return (f"{path}.{key}" if path else key)[-_PATH_CHARS:]


def _list_lines(value: list[Any], path: str) -> Iterator[str]:
    together = "" if any(map(_is_nested, value)) else ", ".join(map(_plain, value))
    if together and len(together) <= _LIST_CHARS:
        yield f"{path}: {together}" if path else together
        return
    for number, item in enumerate(value):
        yield from _lines(item, f"{path}[{number}]"[-_PATH_CHARS:])


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _is_flat(value: Mapping[str, Any]) -> bool:
    return not any(map(_is_nested, value.values()))


def _is_table(value: list[Any]) -> bool:
    return all(isinstance(item, dict) and _is_flat(item) for item in value)
