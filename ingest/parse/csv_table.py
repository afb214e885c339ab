"""CSV and its relatives: one table a file, read on while it is taken."""

from __future__ import annotations

import csv
import re

from ingest.parse.elements import Element, Parsed
from ingest.parse.encoding import lines, opened
from ingest.parse.tables import table_texts

_QUOTED = re.compile(r'"[^"]*"')


def parse_csv(data: bytes) -> Parsed:
    """The rows of a CSV file; the delimiter is the one its first line uses most outside of quotes."""
    first_line = _first_line(data)
    return _table(data, delimiter=max(",;\t|", key=first_line.count))


def parse_tsv(data: bytes) -> Parsed:
    """The rows of a file with tabs between its values; one without tabs is read as CSV."""
    return _table(data, delimiter="\t") if "\t" in _first_line(data) else parse_csv(data)


def _first_line(data: bytes) -> str:
    return _QUOTED.sub("", next((line for line in lines(data) if line.strip()), ""))


def _table(data: bytes, *, delimiter: str) -> Parsed:
    source = (line.replace("\0", "") for line in opened(data))
    rows = csv.reader(source, delimiter=delimiter)
    return Parsed(title="", elements=(Element(kind="table", text=text) for text in table_texts(rows)))
