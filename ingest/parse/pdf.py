"""PDF through pdfium: the words of each page with their places and type sizes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import accumulate, groupby, pairwise
from typing import Any

from ingest.parse.elements import Parsed
from ingest.parse.fragments import Fragment, side_by_side
from ingest.parse.layout import elements_of
from rag.errors import DocumentError

# pdfium is not made for several threads at once.
_ONE_AT_A_TIME = threading.Lock()
_SPACES = frozenset(map(ord, "\0\t\n\r\v\f \u00a0\u2002\u2003\u2009\u202f"))
_LINE_ENDS = frozenset(map(ord, "\n\r"))
_HYPHEN = 2  # pdfium's sign for a hyphen that parts a word at the end of a line; no line end follows
_WIDE_GAP = 0.9  # of the line's height: wider than any space between words, so a new column begins


def parse_pdf(data: bytes) -> Parsed:
    """The text of a PDF with page numbers; headings, lists and tables are recognised by their layout.

    Raises DocumentError for a file that is encrypted, damaged, or holds no text (a scan).
    """
    import pypdfium2

    with _ONE_AT_A_TIME:
        document = _opened(data)
        try:
            title = document.get_metadata_value("Title")
            pages = [_page(document, index) for index in range(len(document))]
        except pypdfium2.PdfiumError as error:
            raise _damaged(error) from error
        finally:
            document.close()
    if not any(pages):
        raise DocumentError(
            f"its {len(pages)} pages hold pictures, no text",
            expected="a PDF with a text layer",
            remedy="run text recognition (OCR) over it, for example with ocrmypdf",
        )
    return Parsed(title=title.strip(), elements=elements_of(pages))


def _opened(data: bytes) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DocumentError(
                "it is encrypted", expected="a PDF that opens without a password", remedy="save it without one"
            ) from error
        raise _damaged(error) from error


def _damaged(error: Exception) -> DocumentError:
    return DocumentError(
        f"damaged, or no PDF: {error}", expected="an intact PDF", remedy="open it in a viewer and save it anew"
    )


def _page(document: Any, index: int) -> list[Fragment]:
    page = document[index]
    text = page.get_textpage()
    try:
        words = list(_words(text, index + 1))
    finally:
        text.close()
        page.close()
    lines = groupby(words, key=lambda word: word[0])
    return [fragment for _, line in lines for fragment in _fragments([word for _, word in line])]


def _words(text: Any, page: int) -> Iterator[tuple[int, Fragment]]:
    """Each word with the number of the line it stands on."""
    from pypdfium2 import raw

    codes = [raw.FPDFText_GetUnicode(text, index) for index in range(text.count_chars())]
    ends = (code in _LINE_ENDS or before == _HYPHEN for before, code in pairwise([0, *codes]))
    numbers = list(accumulate(ends))
    for (line, is_space), run in groupby(range(len(codes)), key=lambda at: (numbers[at], codes[at] in _SPACES)):
        if not is_space:
            places = list(run)
            letters = "".join(_character(codes[place]) for place in places)
            yield line, _word(text, letters, places[0], places[-1], page)


def _character(code: int) -> str:
    if code in (_HYPHEN, 0xAD, 0xFFFE):
        return "-"
    # Lone halves of surrogate pairs and control characters can't be stored as text.
    return "\ufffd" if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF or code < 32 else chr(code)


def _word(text: Any, letters: str, first: int, last: int, page: int) -> Fragment:
    from pypdfium2 import raw

    left, right = raw.FS_RECTF(), raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text, first, left)
    raw.FPDFText_GetLooseCharBox(text, last, right)
    return Fragment(
        text=letters,
        page=page,
        left=left.left,
        right=right.right,
        bottom=min(left.bottom, right.bottom),
        top=max(left.top, right.top),
        size=left.top - left.bottom,
        bold=_is_bold(text, first),
    )


def _is_bold(text: Any, index: int) -> bool:
    import ctypes

    from pypdfium2 import raw

    if raw.FPDFText_GetFontWeight(text, index) >= 600:
        return True
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    raw.FPDFText_GetFontInfo(text, index, name, len(name), flags)
    return any(mark in name.value.lower() for mark in (b"bold", b"black", b"heavy", b"-bd", b"cmbx"))


def _fragments(words: list[Fragment]) -> Iterator[Fragment]:
    """The words of a line joined, parted where a wide gap shows that a new column begins."""
    if not words:
        return
    height = max(word.size for word in words)
    run = [words[0]]
    for word in words[1:]:
        if not -height < word.left - run[-1].right < _WIDE_GAP * height:
            yield side_by_side(run)
            run = []
        run.append(word)
    yield side_by_side(run)
