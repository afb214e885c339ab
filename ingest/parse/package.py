"""Zip files: archives, and the office formats that are packed as one."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.parse.allowance import Allowance
from rag.errors import DocumentError

_PIECE_BYTES = 1_000_000
_ENTRY_MARK = b"PK\x01\x02"
_PARTS_A_FILE = 20  # an office file, itself such a package, has about so many parts
_ENCRYPTED = 0x1
_DAMAGES = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError)


class Package:
    """The entries of a zip file, read within an allowance; nothing is ever written."""

    def __init__(self, data: bytes, allowance: Allowance) -> None:
        """Read the list of entries; raises DocumentError for one that no limit would allow."""
        # The list alone may have millions of entries, so they are counted before it is read.
        if data.count(_ENTRY_MARK) > allowance.options.archive_files * _PARTS_A_FILE:
            allowance.take_files(allowance.options.archive_files + 1)
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._allowance = allowance
        self._is_taken = False
        self._entries = {entry.filename: entry for entry in self._archive.infolist() if not entry.is_dir()}

    def __contains__(self, name: str) -> bool:
        """Whether there is an entry of this name."""
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """The names of the entries in their order, folders left out."""
        return iter(self._entries)

    def read(self, name: str) -> bytes:
        """The bytes of an entry, counted while they are unpacked; raises DocumentError for one that can't be read."""
        entry = self._entries.get(name)
        if entry is None:
            raise DocumentError(f"its part {name} is missing", expected="an intact file", remedy="save it anew")
        _refuse_unreadable(entry)
        try:
            return b"".join(self._pieces(entry))
        except _DAMAGES as error:
            raise DocumentError(f"it is damaged: {error}", expected="an intact file", remedy="pack it anew") from error

    def take_all(self) -> None:
        """Take all entries from the allowance, for a library that unpacks them by itself; reading them is free then."""
        for entry in self._entries.values():
            _refuse_unreadable(entry)
        self._allowance.take_bytes(sum(entry.file_size for entry in self._entries.values()))
        self._is_taken = True

    def replaced(self, parts: Mapping[str, bytes]) -> bytes:
        """The zip file anew with other bytes for some of its entries."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in self:
                archive.writestr(name, parts[name] if name in parts else self.read(name))
        return buffer.getvalue()

    def _pieces(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        with self._archive.open(entry) as stream:
            while piece := stream.read(_PIECE_BYTES):
                if not self._is_taken:
                    self._allowance.take_bytes(len(piece))
                yield piece


def xml_root(source: bytes, *, recover: bool = False) -> Any:
    """The root of an XML document; nothing outside of it is read, and no entity is expanded."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=recover, remove_comments=True
    )
    root = etree.fromstring(source, parser)
    if root is None:
        raise DocumentError("it holds no XML", expected="intact XML", remedy="save it anew")
    return root


def _refuse_unreadable(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise DocumentError("it is encrypted", expected="a file without a password", remedy="save it without one")
    # The other methods unpack to any size at one go, before it could be counted.
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DocumentError(
            f"it is packed by method {entry.compress_type}",
            expected="a zip file of the usual kind",
            remedy="pack it anew",
        )
