"""The words of one PDF page with their places and type sizes."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, islice, pairwise
from statistics import median
from typing import Any

from ingest.parse.fragments import Fragment, enclosing, side_by_side
from ingest.parse.reading import in_reading_order
from rag.errors import DocumentError
from rag.types import Box

_SPACES = frozenset(map(ord, "\0\t\n\r\v\f \u00a0\u2002\u2003\u2009\u202f"))
_LINE_ENDS = frozenset(map(ord, "\n\r"))
_HYPHEN = 2  # pdfium's sign for a hyphen that parts a word at the end of a line; no line end follows
_WIDE_GAP = 0.9  # of the line's height: wider than any space between words, so a new column begins
_FEW_CHARS = 40  # on a page that pictures cover: a stamp or a page number, not its text
_COVERED = 0.5  # of the page
_PICTURES = 200  # a scan may come in strips
_RIGHT_TO_LEFT = range(0x590, 0x8FF)
_CLOSING = re.compile(r"[.,;:!?)\]]")
_BOLD = re.compile(rb"bold|black|heavy|-bd|cmbx", re.IGNORECASE)
_ASKEW = 0.1  # radians: text further from the page's four directions belongs to no line
_NO_DIRECTION = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """`direction` counts quarter turns clockwise from text that reads to the right."""

    line: int
    direction: int
    fragment: Fragment


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """How a page is shown: which part of it, turned by so many quarters clockwise."""

    area: Box
    turns: int

    def shown(self, box: Box) -> Box:
        """A box of the page's own system in points from the lower left corner of the page as shown."""
        (x0, y0, x1, y1), (left, bottom, right, top) = self.area, box
        match self.turns:
            case 1:
                return bottom - y0, x1 - right, top - y0, x1 - left
            case 2:
                return x1 - right, y1 - top, x1 - left, y1 - bottom
            case 3:
                return y1 - top, left - x0, y1 - bottom, right - x0
        return left - x0, bottom - y0, right - x0, top - y0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    text: Any
    codes: Sequence[int]
    number: int
    view: _View


def fragments_of(page: Any, text: Any, number: int, *, most: int) -> list[Fragment]:
    """The pieces of lines of a page in reading order; raises DocumentError for one of more than `most` characters."""
    if text.count_chars() > most:
        raise DocumentError(
            f"page {number} holds {text.count_chars():,} characters",
            expected=f"at most ingest.max_page_chars = {most:,}",
            remedy="split it into pages, or raise the limit",
        )
    view = _View(area=page.get_bbox(), turns=page.get_rotation() // 90 % 4)
    words = list(_words(_Source(text=text, codes=_codes(text), number=number, view=view)))
    direction = _main_direction(words)
    lines = [list(_fragments(run)) for run in _lines(words, direction)]
    along = _rejoined(fragment for line in lines for fragment in line)
    if direction or view.turns:
        # pdfium orders the lines by where they are shown, which is right only for text shown upright.
        along = in_reading_order(along)
    usual = median([fragment.size for fragment in along]) if along else 0.0
    # Stamps at the margin and marks across the page are no headings, however large.
    across = (part for run in _lines(words, direction, others=True) for part in _fragments(run))
    return [*along, *(replace(part, size=min(part.size, usual), bold=False) for part in across)]


def is_scan(page: Any, text: Any) -> bool:
    """True for a page that is a picture of its text: no characters on it, or next to none on a large picture."""
    from pypdfium2 import raw

    chars = text.count_chars()
    if not chars:
        return bool(raw.FPDFPage_CountObjects(page))
    if chars > _FEW_CHARS:
        return False
    pictures = islice(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3), _PICTURES)
    covered = sum(_area(picture.get_bounds()) for picture in pictures)
    return bool(covered > _COVERED * _area(page.get_bbox()))


def _area(box: Box) -> float:
    left, bottom, right, top = box
    return (right - left) * (top - bottom)


def _main_direction(words: Sequence[_Word]) -> int:
    letters: Counter[int] = Counter()
    for word in words:
        letters[word.direction] += len(word.fragment.text)
    return letters.most_common(1)[0][0] if letters else 0


def _lines(words: Sequence[_Word], direction: int, *, others: bool = False) -> Iterator[list[Fragment]]:
    """The words of each line that reads in that direction, or of those that read in another one."""
    for (_, found), line in groupby(words, key=lambda word: (word.line, word.direction)):
        if (found != direction) is others:
            yield [word.fragment for word in line]


def _words(source: _Source) -> Iterator[_Word]:
    """Each word with the number of the line it stands on."""
    codes = source.codes
    ends = (code in _LINE_ENDS or before == _HYPHEN for before, code in pairwise([0, *codes]))
    numbers = list(accumulate(ends))
    for (line, is_space), run in groupby(range(len(codes)), key=lambda at: (numbers[at], codes[at] in _SPACES)):
        if not is_space:
            places = list(run)
            direction = _direction(source.text, places[0])
            for part in _unbroken(source.text, places, direction):
                yield _Word(line=line, direction=direction, fragment=_fragment(source, part, direction))


def _codes(text: Any) -> list[int]:
    from pypdfium2 import raw

    return [raw.FPDFText_GetUnicode(text, index) for index in range(text.count_chars())]


def _direction(text: Any, index: int) -> int:
    from pypdfium2 import raw

    quarters = max(raw.FPDFText_GetCharAngle(text, index), 0.0) / (math.pi / 2)
    return round(quarters) % 4 if abs(quarters - round(quarters)) < _ASKEW else _NO_DIRECTION


def _unbroken(text: Any, places: list[int], direction: int) -> Iterator[list[int]]:
    """A word in the pieces that really follow each other: pdfium tells no line end where text reads up or down."""
    if direction in (0, _NO_DIRECTION):
        yield places
        return
    run: list[int] = []
    for place in places:
        if run and _along(_box(text, place), direction)[0] < _along(_box(text, run[-1]), direction)[0]:
            yield run
            run = []
        run.append(place)
    yield run


def _letters(source: _Source, places: Sequence[int]) -> str:
    codes = [source.codes[place] for place in places]
    if max(codes) < _RIGHT_TO_LEFT.start or not any(code in _RIGHT_TO_LEFT for code in codes):
        return "".join(map(_character, codes))
    # pdfium turns right-to-left text round letter by letter, those of a ligature too.
    glyphs = groupby(zip(codes, places, strict=True), key=lambda letter: _box(source.text, letter[1]))
    return "".join("".join(_character(code) for code, _ in reversed(list(glyph))) for _, glyph in glyphs)


def _character(code: int) -> str:
    if code in (_HYPHEN, 0xAD, 0xFFFE):
        return "-"
    # Lone halves of surrogate pairs and control characters can't be stored as text.
    return "\ufffd" if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF or code < 32 else chr(code)


def _fragment(source: _Source, places: Sequence[int], direction: int) -> Fragment:
    first = _box(source.text, places[0])
    box = enclosing((first, _box(source.text, places[-1])))
    left, bottom, right, top = _along(box, direction)
    lowest, highest = _along(first, direction)[1::2]
    return Fragment(
        text=_letters(source, places),
        page=source.number,
        left=left,
        right=right,
        bottom=bottom,
        top=top,
        size=highest - lowest,
        bold=_is_bold(source.text, places[0]),
        box=source.view.shown(box),
    )


def _box(text: Any, index: int) -> Box:
    from pypdfium2 import raw

    found = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text, index, found)
    return found.left, found.bottom, found.right, found.top


def _along(box: Box, direction: int) -> Box:
    """A box in a system turned so that the text in it reads to the right."""
    left, bottom, right, top = box
    match direction:
        case 1:
            return -top, left, -bottom, right
        case 2:
            return -right, -top, -left, -bottom
        case 3:
            return bottom, -right, top, -left
    return box


def _is_bold(text: Any, index: int) -> bool:
    import ctypes

    from pypdfium2 import raw

    if raw.FPDFText_GetFontWeight(text, index) >= 600:
        return True
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    raw.FPDFText_GetFontInfo(text, index, name, len(name), flags)
    return _BOLD.search(name.value) is not None


def _fragments(words: Sequence[Fragment]) -> Iterator[Fragment]:
    """The words of a line joined, parted where a wide gap shows that a new column begins."""
    if not words:
        return
    height = max(word.size for word in words)
    run = [words[0]]
    for word in words[1:]:
        if not -height < _gap(run[-1], word) < _WIDE_GAP * height:
            yield side_by_side(run)
            run = []
        run.append(word)
    yield side_by_side(run)


def _rejoined(fragments: Iterable[Fragment]) -> list[Fragment]:
    """The fragments, one that goes on right behind the one before made one with it.

    pdfium takes raised letters, formulas and marks in another font for lines of their own.
    """
    joined: list[Fragment] = []
    for fragment in fragments:
        if joined and _goes_on(joined[-1], fragment):
            joined[-1] = _one(joined[-1], fragment)
        else:
            joined.append(fragment)
    return joined


def _goes_on(one: Fragment, other: Fragment) -> bool:
    height = min(one.top - one.bottom, other.top - other.bottom)
    is_level = min(one.top, other.top) - max(one.bottom, other.bottom) > 0.5 * height
    return is_level and -0.5 * height < other.left - one.right < _WIDE_GAP * height


def _one(fragment: Fragment, other: Fragment) -> Fragment:
    both = side_by_side((fragment, other))
    return replace(both, text=fragment.text + other.text) if _CLOSING.match(other.text) else both


def _gap(one: Fragment, other: Fragment) -> float:
    return max(other.left - one.right, one.left - other.right)
