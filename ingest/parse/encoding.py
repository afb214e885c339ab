"""Bytes become text, at once or line by line."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator

from rag.errors import DocumentError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = "cp1252"
# Encodings of other scripts that are still met in files without a mark.
_FOREIGN = "cp1251 koi8_r cp1253 cp1255 cp1256 cp932 euc_jp gb18030 big5 cp949".split()
_FOREIGN_SHARE = 0.2  # of the letters: the accents of a Western language are far fewer
_HEBREW = frozenset(range(0xE0, 0xFB))
_FIRST_LATIN_FREE = 0x370
_SAMPLE_BYTES = 32_000
_PIECE_BYTES = 1_000_000
_LINE_CHARS = 100_000  # longer lines are handed out in pieces


def decode(data: bytes) -> str:
    """Text from UTF-8, from UTF-16 or UTF-32 with a byte order mark, else in the encoding its bytes look like.

    Line ends become newlines. Raises DocumentError for bytes that are no text.
    """
    text = data.decode(encoding_of(data), errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n").replace("\0", "")


def lines(data: bytes) -> Iterator[str]:
    """The lines of a text one by one, without their ends; one of more than 100,000 characters in several pieces."""
    for line in _pieces(opened(data)):
        yield from line.rstrip("\n").replace("\0", "").replace("\f", "\n\n").split("\n")


def opened(data: bytes) -> io.TextIOWrapper:
    """The text as a file that is decoded while it is read; line ends are newlines."""
    # BytesIO shares the bytes it is given, so a large file is not held twice.
    return io.TextIOWrapper(io.BytesIO(data), encoding=encoding_of(data), errors="replace")


def encoding_of(data: bytes) -> str:
    """The name of the encoding of a text; raises DocumentError for bytes that are no text."""
    marked = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    if marked:
        return marked
    if b"\0" in data:
        return _wide(data[: _SAMPLE_BYTES // 2 * 2])
    return "utf-8" if _is_utf8(data) else _single_byte(data)


def _wide(sample: bytes) -> str:
    """UTF-16 without a mark: every other byte of Western text is zero."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > half * 0.7 and not even:
        return "utf-16-le"
    if even > half * 0.7 and not odd:
        return "utf-16-be"
    raise DocumentError(
        "the file holds zero bytes", expected="text", remedy="save it as UTF-8 text, or give it its true extension"
    )


def _is_utf8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for start in range(0, len(data), _PIECE_BYTES):
            decoder.decode(view[start : start + _PIECE_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _single_byte(data: bytes) -> str:
    """Western, unless a good part of the letters is clearly of another script."""
    from charset_normalizer import from_bytes

    sample = _sample(data)
    if _foreign_share(sample.decode("cp1255", errors="replace")) > _FOREIGN_SHARE and _is_hebrew(sample):
        return "cp1255"
    best = from_bytes(sample, cp_isolation=[_WESTERN, *_FOREIGN]).best()
    if best and _foreign_share(str(best)) > _FOREIGN_SHARE:
        return best.encoding
    return _WESTERN if _decodes(data, _WESTERN) else "latin-1"


def _sample(data: bytes) -> bytes:
    """Whole lines from the first byte beyond ASCII on."""
    first = re.search(rb"[\x80-\xff]", data)
    start = data.rfind(b"\n", 0, first.start()) + 1 if first else 0
    sample = data[start : start + _SAMPLE_BYTES]
    return sample[: sample.rfind(b"\n") + 1] or sample if len(data) > start + _SAMPLE_BYTES else sample


def _is_hebrew(sample: bytes) -> bool:
    # Its letters are also Russian ones, which the detector prefers; Russian has some outside of this range.
    return {byte for byte in sample if byte > 127} <= _HEBREW


def _foreign_share(text: str) -> float:
    letters = [ord(char) for char in text if char.isalpha()]
    return sum(code >= _FIRST_LATIN_FREE for code in letters) / max(len(letters), 1)


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _pieces(file: io.TextIOWrapper) -> Iterator[str]:
    """Lines; long ones are cut behind a space where there is one."""
    held = ""
    while piece := file.readline(_LINE_CHARS):
        line = held + piece
        cut = len(line) if len(piece) < _LINE_CHARS else line.rfind(" ") + 1 or len(line)
        yield line[:cut]
        held = line[cut:]
    if held:
        yield held


def storable(text: str) -> str:
    """The text without halves of surrogate pairs, which come from JSON and from names on disk: no index takes them."""
    return text.encode(errors="backslashreplace").decode()
