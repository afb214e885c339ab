"""OLE compound files: the containers of the Office 97-2003 formats and of Outlook's messages."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_SUMMARY = "\x05SummaryInformation"
_TITLE, _NARROW_TEXT = 2, 30
_MOST_PROPERTIES = 100


@contextmanager
def compound(data: bytes) -> Iterator[Any]:
    """The open container with its streams."""
    import olefile

    with olefile.OleFileIO(io.BytesIO(data)) as file:
        yield file


def stated_title(file: Any) -> str:
    """The title in the properties of a document, '' if there is none.

    Not by olefile's own reader: it counts to any number that a damaged file states.
    """
    source: bytes = file.openstream(_SUMMARY).read() if file.exists(_SUMMARY) else b""
    try:
        return _title(source).decode("cp1252", errors="replace").strip("\0 ")
    except struct.error:
        return ""


def _title(source: bytes) -> bytes:
    (start,) = struct.unpack_from("<I", source, 44)
    (count,) = struct.unpack_from("<I", source, start + 4)
    for number in range(min(count, _MOST_PROPERTIES)):
        name, place = struct.unpack_from("<II", source, start + 8 + 8 * number)
        if name == _TITLE:
            kind, size = struct.unpack_from("<II", source, start + place)
            return source[start + place + 8 : start + place + 8 + size] if kind == _NARROW_TEXT else b""
    return b""
