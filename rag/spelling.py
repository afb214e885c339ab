"""Two texts in one spelling, so that they can be compared: typography, numbers, dates."""

from __future__ import annotations

import re
import unicodedata

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_COMMA_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
_DOT_THOUSANDS = re.compile(r"[1-9]\d{0,2}(\.\d{3})+(,\d+)?")
# All dates here have a year: without one there is no need to look.
_YEAR = re.compile(r"\d{4}")
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_TYPOGRAPHY = str.maketrans("’‘“”„–—‑", '\'\'"""---')
# A word with a capital; letters whose stroke is no mark of its own in Unicode.
_NAME = re.compile(r"(?<!\w)(?![a-z])[^\W\d_]\w*")
_STROKED = dict(zip("łŁøØđĐı", "lLoOdDi", strict=True))
_NAMES = (
    *("January Januar", "February Februar", "March März", "April", "May Mai", "June Juni", "July Juli", "August"),
    *("September", "October Oktober", "November", "December Dezember"),
)
_MONTHS = {name[:3].casefold(): number for number, names in enumerate(_NAMES, 1) for name in names.split()}
MONTH = f"(?:{'|'.join(_MONTHS)})[a-zä]*"
# From two on: "one" and "ein" are articles as often as numbers.
_NUMBER_WORDS = {
    word: str(number)
    for words in (
        "two three four five six seven eight nine ten eleven twelve",
        "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    )
    for number, word in enumerate(words.split(), 2)
}
DATES = tuple(
    re.compile(rf"(?<!\d){pattern}(?!\d)", re.IGNORECASE)
    for pattern in (
        r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)",
        r"(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.\s?(?P<y>\d{4})",
        rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?\s(?:of\s)?(?P<m>{MONTH})\.?,?\s(?P<y>\d{{4}})",
        rf"\b(?P<m>{MONTH})\.?\s(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?P<y>\d{{4}})",
    )
)


def plain(text: str) -> str:
    """A text for comparison: typography, case and white space evened out."""
    even = unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHY)
    return " ".join(even.casefold().split())


def unaccented(text: str) -> str:
    """A text whose names are in plain Latin letters, as who asks often writes them: Boleslaw for Bolesław.

    Other words keep their marks, by which stop words are known.
    """
    return text if text.isascii() else _NAME.sub(lambda found: _plain_name(found.group()), text)


def _plain_name(word: str) -> str:
    return "".join(map(_bare, word)) if word[0].isupper() and not word.isascii() else word


def _bare(letter: str) -> str:
    base = _STROKED.get(letter) or unicodedata.normalize("NFKD", letter)[0]
    return base if base.isascii() else letter


def numbers(text: str) -> frozenset[str]:
    """The numbers of a text in one spelling: 1,000 is 1000 and 0,38 is 0.38."""
    return frozenset(_number(found) for found in NUMBER.findall(text))


def dates(text: str) -> frozenset[str]:
    """The full dates of a text, as 2026-03-01."""
    if not _YEAR.search(text):
        return frozenset()
    return frozenset(_iso(match) for pattern in DATES for match in pattern.finditer(text))


def dated(text: str) -> str:
    """A text with its full dates written as 2026-03-01."""
    for pattern in DATES if _YEAR.search(text) else ():
        text = pattern.sub(_iso, text)
    return text


def respelled(text: str) -> str:
    """A text followed by its dates and its numbers in words in other spellings, so that it shares words with each."""
    split = (date.split("-") for date in sorted(dates(text)))
    other = (f"{y}-{m}-{d} {int(d)} {int(m)} {_NAMES[int(m) - 1] if 0 < int(m) <= 12 else ''}" for y, m, d in split)
    return " ".join((text, *other, *sorted(_in_words(text))))


def figures(text: str) -> frozenset[str]:
    """The numbers of a text, "five" as 5, its full dates as 2026-03-01, and the parts of those dates."""
    found = dates(text)
    return numbers(" ".join((text, *found))) | found | _in_words(text)


def figure(word: str) -> str | None:
    """A number, in digits or in words, or a date, in one spelling; None for any other word."""
    if not word[0].isdigit():
        return _NUMBER_WORDS.get(word.casefold())
    return word if _ISO.fullmatch(word) else _number(word)


def missing(text: str, held: frozenset[str]) -> frozenset[str]:
    """The numbers of a text that are not among the `held` figures; a held date is held in any spelling."""
    for pattern in DATES if _YEAR.search(text) else ():
        text = pattern.sub(lambda match: " " if _iso(match) in held else match.group(), text)
    return numbers(text) - held


def _in_words(text: str) -> frozenset[str]:
    return frozenset(_NUMBER_WORDS[word] for word in re.findall(r"\w+", text.casefold()) if word in _NUMBER_WORDS)


def _number(text: str) -> str:
    if _COMMA_THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    elif _DOT_THOUSANDS.fullmatch(text):
        text = text.replace(".", "")
    text = text.replace(",", ".")
    return text.rstrip("0").rstrip(".") if re.fullmatch(r"\d+\.\d+", text) else text.lstrip("0") or "0"


def _iso(match: re.Match[str]) -> str:
    month = match["m"]
    number = int(month) if month.isdigit() else _MONTHS.get(month[:3].casefold(), 0)
    return f"{int(match['y']):04}-{number:02}-{int(match['d']):02}"
