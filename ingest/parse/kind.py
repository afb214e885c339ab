"""Which format a file has: as its content shows where that can't be mistaken, else as its extension says."""

from __future__ import annotations

import re

from ingest.parse.allowance import Allowance
from ingest.parse.compound import MAGIC, compound
from ingest.parse.package import Package
from rag.errors import DocumentError

_ZIP = b"PK\x03\x04"
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
_HTML_TOO = (".htm", ".html", ".xhtml", ".eml", ".epub")
_OFFICE_FOLDERS = {"word/": ".docx", "ppt/": ".pptx", "xl/": ".xlsx"}
_WORKBOOKS = (".xlsm", ".xlsx")
_MIMETYPES = {
    b"application/vnd.oasis.opendocument.text": ".odt",
    b"application/vnd.oasis.opendocument.presentation": ".odp",
    b"application/vnd.oasis.opendocument.spreadsheet": ".ods",
    b"application/epub+zip": ".epub",
}
_OLE_STREAMS = {
    "WordDocument": ".doc",
    "Workbook": ".xls",
    "Book": ".xls",
    "PowerPoint Document": ".ppt",
    "__properties_version1.0": ".msg",
}
_ENCRYPTED = "EncryptedPackage"


def true_extension(extension: str, data: bytes, allowance: Allowance) -> str:
    """The extension that fits the content; `extension` itself where the content doesn't tell.

    Raises DocumentError for an encrypted office file.
    """
    if data.startswith(_ZIP):
        return _in_package(extension, data, allowance)
    if data.startswith(MAGIC):
        return _in_compound(extension, data)
    if data.startswith(b"%PDF-"):
        return ".pdf"
    if data.startswith(b"{\\rtf"):
        return ".rtf"
    return ".html" if extension not in _HTML_TOO and _HTML.match(data[:1000]) else extension


def _in_package(extension: str, data: bytes, allowance: Allowance) -> str:
    package = Package(data, allowance)
    if "mimetype" in package:
        kind = package.read("mimetype").strip()
        return next((name for start, name in _MIMETYPES.items() if kind.startswith(start)), extension)
    if "[Content_Types].xml" not in package:
        return extension
    found = next((kind for name in package for start, kind in _OFFICE_FOLDERS.items() if name.startswith(start)), "")
    return extension if not found or {found, extension} <= set(_WORKBOOKS) else found


def _in_compound(extension: str, data: bytes) -> str:
    with compound(data) as file:
        if file.exists(_ENCRYPTED):
            raise DocumentError("it is encrypted", expected="a file without a password", remedy="save it without one")
        return next((kind for stream, kind in _OLE_STREAMS.items() if file.exists(stream)), extension)
