"""CSV and its relatives: one table a file."""

from __future__ import annotations

import csv
import io
import re

from ingest.parse.elements import Element, Parsed
from ingest.parse.tables import table_text
from ingest.parse.text import decode

_QUOTED = re.compile(r'"[^"]*"')


def parse_csv(data: bytes) -> Parsed:
    """The rows of a CSV file; the delimiter is the one its first line uses most outside of quotes."""
    text = decode(data).strip("\n")
    first_line = _QUOTED.sub("", text).partition("\n")[0]
    delimiter = max(",;\t|", key=first_line.count)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    return Parsed(title="", elements=(Element(kind="table", text=table_text(rows)),))
