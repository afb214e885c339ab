"""Bounded decompression."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from rag.errors import DocumentError

GZIP_MAGIC = b"\x1f\x8b"
PIECE_BYTES = 65_536


def inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The content of gzip data in small pieces, so that a reader can stop at any size; raises DocumentError."""
    decoder = _decoder()
    for piece in pieces:
        rest = piece
        while rest:
            if decoder.eof:  # gzip files may be several ones in a row
                decoder = _decoder()
            yield _some(decoder, rest)
            rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    yield decoder.flush()
    if not decoder.eof:
        raise DocumentError("the compressed data is cut off", expected="whole gzip data", remedy="try again later")


def _decoder() -> zlib._Decompress:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)


def _some(decoder: zlib._Decompress, data: bytes) -> bytes:
    try:
        return decoder.decompress(data, PIECE_BYTES)
    except zlib.error:
        raise DocumentError("the compressed data is damaged", expected="gzip data", remedy="try again later") from None
