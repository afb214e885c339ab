"""Files become titled lists of typed elements."""

from ingest.parse.elements import Element, Parsed
from ingest.parse.formats import SUPPORTED
from ingest.parse.options import Options
from ingest.parse.parse import parse

__all__ = ["SUPPORTED", "Element", "Options", "Parsed", "parse"]
