"""Bounded decompression."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from rag.errors import DocumentError

GZIP_MAGIC = b"\x1f\x8b"
PIECE_BYTES = 65_536
# Each costs time, even an empty one.
MEMBERS = 1_000


def inflated(pieces: Iterable[bytes], *, name: str) -> Iterator[bytes]:
    """The content of gzip data in small pieces, so that a reader can stop at any size; raises DocumentError."""
    decoder, members = _decoder(), 1
    for rest in pieces:
        left = rest
        while left:
            if decoder.eof:  # gzip files may be several ones in a row
                decoder, members = _decoder(), members + 1
            yield _some(decoder, left, name)
            left = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if members > MEMBERS:
                raise _bad(f"{name} is packed in more than {MEMBERS:,} parts")
    yield decoder.flush()
    if not decoder.eof:
        raise _bad(f"the compressed data of {name} is cut off")


def _decoder() -> zlib._Decompress:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)


def _some(decoder: zlib._Decompress, data: bytes, name: str) -> bytes:
    try:
        return decoder.decompress(data, PIECE_BYTES)
    except zlib.error:
        raise _bad(f"the compressed data of {name} is damaged") from None


def _bad(seen: str) -> DocumentError:
    return DocumentError(seen, expected="whole gzip data", remedy="try again later")
