"""Content types -> the ending that decides a document's format."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote

import httpx

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
ENDINGS: Mapping[str, str] = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "message/rfc822": ".eml",
    f"{_OFFICE}.wordprocessingml.document": ".docx",
    f"{_OFFICE}.presentationml.presentation": ".pptx",
    f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
    f"{_OPEN}.text": ".odt",
    f"{_OPEN}.spreadsheet": ".ods",
    f"{_OPEN}.presentation": ".odp",
    "application/epub+zip": ".epub",
    "application/rtf": ".rtf",
    "application/json": ".json",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/tiff": ".tiff",
}
# Types that servers send for whatever they don't know, and the ending that is left when the path has none.
VAGUE: Mapping[str, str] = {"": ".html", "text/plain": ".txt", "application/octet-stream": ""}
# Endings of programs that write pages: they tell nothing of what they write.
PROGRAMS = (".php", ".asp", ".aspx", ".jsp", ".cgi", ".do")
# Encodings that are mere tables; the others of Python do more, some without bound.
TABLES = re.compile(r"(iso8859|cp\d|windows|koi8|gb|big5|shift_jis|euc|mac|utf-16|utf-32)[\w-]*")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)


def ending(kind: str, url: httpx.URL) -> str:
    """The ending for a page: what its content type says, then what its path says."""
    name = kind.partition(";")[0].strip().lower()
    if name in ENDINGS:
        return ENDINGS[name]
    return path_ending(url) or VAGUE.get(name, "")


def path_ending(url: httpx.URL) -> str:
    """The ending in the path of an address, '' where it tells nothing."""
    suffix = PurePosixPath(unquote(url.path)).suffix.lower()
    return "" if suffix in PROGRAMS else suffix


def stem(url: httpx.URL) -> str:
    """The last word of an address, for a page without a title."""
    return PurePosixPath(unquote(url.path)).stem or url.host


def in_utf8(data: bytes, kind: str) -> bytes:
    """Text whose content type names another encoding, in UTF-8 with a mark; everything else as it is."""
    charset = _CHARSET.search(kind)
    if not (kind.lower().startswith("text/") and charset) or data.startswith(
        (codecs.BOM_UTF8, b"\xff\xfe", b"\xfe\xff")
    ):
        return data
    try:
        name = codecs.lookup(charset[1]).name
        text = data.decode(name) if TABLES.fullmatch(name) else ""
    except (LookupError, ValueError):
        return data
    return codecs.BOM_UTF8 + text.encode("utf-8", errors="replace") if text else data
