"""A table of cases, a row each: CSV with whatever separator, from a spreadsheet or an export."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from evals.dataset import read_case
from evals.imports.sample import Sample
from rag.case import WORDINGS, Case, Split
from rag.errors import InputError

# What a row may tell of a case, and how many a cell holds.
ONE = ("id", "question", "expected", "conversation", "split")
SEVERAL = ("facts", "sources", "evidence", "tags")
FIELDS = (*ONE, *SEVERAL, "answerable", "weight")
SEPARATOR = ";"
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
SEPARATORS = ",;\t|"
SNIFFED_CHARS = 8192


def table(file: Path, *, columns: Mapping[str, str], split: Split, sample: Sample) -> Iterator[Case]:
    """The cases of the rows, all or a sample of them; `columns` names the column of a field where it is not its name.

    Several sources, words of evidence, tags or facts stand in one cell with ';' between them, wordings of a fact with
    '|'. A row without an id gets its number. Raises InputError, which names the line.
    """
    return sample.of(_cases(file, columns, split))


def _cases(file: Path, columns: Mapping[str, str], split: Split) -> Iterator[Case]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.DictReader(text, dialect=_dialect(text))
            named = _named(rows.fieldnames or (), columns, file)
            for number, row in enumerate(rows, 1):
                told = {field: (row.get(column) or "").strip() for field, column in named.items()}
                where = f"{file}, line {rows.line_num}"
                if any(told.values()):
                    yield _case({"id": f"{file.stem}-{number}", "split": split}, told, where)
    except UnicodeDecodeError:
        raise InputError(f"{file} is not UTF-8", expected="UTF-8 text", remedy="save it as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{file} can't be read: {error}", expected="CSV", remedy="mend it") from None
    except OSError as error:
        raise InputError(
            f"can't read {file}: {error.strerror}", expected="a file to import", remedy="check the path"
        ) from None


def _dialect(text: IO[str]) -> type[csv.Dialect]:
    """How the table is written, by its first line: a comma in a question is no separator."""
    first = text.readline(SNIFFED_CHARS)
    text.seek(0)
    found = max(SEPARATORS, key=first.count)

    class Found(csv.excel):
        delimiter = found
        strict = True

    return Found


def _named(header: Any, columns: Mapping[str, str], file: Path) -> Mapping[str, str]:
    """The column of each field that has one."""
    there = {str(name).strip(): str(name) for name in header}
    for field, column in columns.items():
        if field not in FIELDS or column not in there:
            raise InputError(
                f"--column {field}={column}",
                expected=f"one of {', '.join(FIELDS)} and one of the columns {', '.join(there)}",
                remedy="write it as question=NAME",
            )
    named = {field: there[columns.get(field, field)] for field in FIELDS if columns.get(field, field) in there}
    if "question" not in named:
        raise InputError(
            f"{file} has the columns {', '.join(there) or 'none'}",
            expected="one called question",
            remedy="say which it is with --column question=NAME",
        )
    return named


def _case(usual: Mapping[str, str], told: Mapping[str, str], where: str) -> Case:
    values: dict[str, Any] = {**usual, "origin": "imported", **{name: told[name] for name in ONE if told.get(name)}}
    for name in SEVERAL:
        parts = [part.strip() for part in told.get(name, "").split(SEPARATOR) if part.strip()]
        values[name] = [_wordings(part) for part in parts] if name == "facts" else parts
    if truth := told.get("answerable", "").casefold():
        if truth not in TRUTHS:
            raise InputError(
                f"{where}: answerable is '{truth[:40]}'", expected="true or false", remedy="mend that line"
            )
        values["answerable"] = TRUTHS[truth]
    if weight := told.get("weight"):
        values["weight"] = _number(weight, where)
    return read_case(json.dumps(values), where=where)


def _wordings(fact: str) -> list[str]:
    return [word.strip() for word in fact.split(WORDINGS) if word.strip()]


def _number(told: str, where: str) -> float:
    try:
        return float(told)
    except ValueError:
        raise InputError(f"{where}: weight is '{told[:40]}'", expected="a number", remedy="mend that line") from None
