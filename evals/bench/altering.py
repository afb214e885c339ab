"""Ways to change a sentence: some that leave it true, some that make it untrue. For English."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MONTHS = "January February March April May June July August September October November December".split()
COUNTS = "two three four five six seven eight nine ten eleven twelve".split()
_WORD = re.compile(r"\w+(?:['’.,-]\w+)*")
_NUMBER = re.compile(rf"(?<![\w.,$£€-])\d+(?:[.,]\d+)*(?![\w-])|\b(?:{'|'.join(COUNTS)})\b")
_YEAR = re.compile(r"(?<![\w.,-])1\d{3}(?![\w-])|(?<![\w.,-])20\d\d(?![\w-])")
_MONTH = re.compile(
    rf"\b(?:{'|'.join(MONTHS)})\b(?= \d)|(?<=\d )(?:{'|'.join(MONTHS)})\b|(?<=in )(?:{'|'.join(MONTHS)})\b"
)
_DAY = re.compile(
    rf"\b\d{{1,2}}\b(?= (?:{'|'.join(MONTHS)}))|(?:(?<=January )|(?<=May )|(?<=July )|(?<=June ))\d{{1,2}}\b"
)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-zé]+(?:[ -][A-Z][a-zé]+)*(?![\w'’-])")
_SUBJECT = re.compile(r"(?:The )?([A-Z][a-zé-]+)(?= (?:is|was|were|are|has|had|have|can)\b)")
_AUXILIARY = re.compile(r"\b(?:is|was|are|were|has|had|can|could|will|would|may|must|should)\b(?= [a-z])")
_NEGATION = re.compile(r" (?:not|never)\b|(?<=can)not\b")
_WITHOUT = {" without ": " with ", " no ": " some ", " No ": " Some "}
_PREDICATE = re.compile(r" (?P<verb>is|was|has|are|were|have|can|could|will|would|may|must|had) ")
_NUMBER_OF_VERB = {"is": 1, "was": 1, "has": 1, "are": 2, "were": 2, "have": 2}
_NO_SUBJECT = frozenset(
    "it he she they this these that those there its his her their some many most other such both all one each another"
    " in on at by for from as if when while although since after during with under however to what who where"
    " not of and but because so thus either neither".split()
)
_STOP = frozenset("the a an of in and or to for by on at as with from s".split())
_PARENTHESIS = re.compile(r"\s\([^()]*\)")
_RELATIVE = re.compile(r", (?:which|who|whose|where) [^,;:]*\.$")
_LEADING = re.compile(
    r"((?:In|On|During|By|After|At|Since|Until|Before) [^,;:]{3,40}), ((?:[A-Z]|the |a |an )[^;:?]*)\.$"
)
_QUOTE_MARKS = "\"“”„«»'‘’`"
_LEAD_INS = ('The text says "{}".', 'According to the document, "{}".', 'It states that "{}".', 'Note: "{}".')
_STRETCH = (5, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A sentence of a passage; `marker` is 0 where the passage is not given."""

    text: str
    marker: int
    paragraph: str


# A sentence, those of the passages it may borrow from, and chance: the altered one, or None where there is no place.
Change = Callable[[Said, Sequence[Said], random.Random], str | None]


def words(text: str) -> list[str]:
    """The words of a text, without punctuation."""
    return _WORD.findall(text)


def is_plain(text: str) -> bool:
    """Whether it is a whole sentence that can be changed without breaking brackets or quotation marks."""
    return (
        text[0].isupper()
        and text.endswith(".")
        and "\n" not in text
        and not set("[]|`*#_") & set(text)
        and text.count("(") == text.count(")")
        and text.count('"') % 2 == 0
    )


def shortened(text: str) -> str | None:
    """Without what stands in parentheses, or without a relative clause at its end that a comma sets off."""
    short = _RELATIVE.sub(".", _PARENTHESIS.sub("", text))
    return short if short != text and len(words(short)) >= 6 else None


def moved(text: str) -> str | None:
    """With the phrase of time or place that it begins with at its end."""
    found = _LEADING.match(text)
    if found is None:
        return None
    lead, rest = found.groups()
    return f"{rest[0].upper()}{rest[1:]} {lead[0].lower()}{lead[1:]}."


def joined(text: str, other: str) -> str | None:
    """Two short sentences as one."""
    if max(len(words(text)), len(words(other))) > 20:
        return None
    first, _, rest = other.partition(" ")
    opening = first.lower() if first in ("The", "A", "An", "In", "This", "These", "It") else first
    return f"{text[:-1]}, and {opening} {rest}"


def quoted(text: str) -> str | None:
    """A stretch of it in quotation marks."""
    chance = random.Random(text)  # noqa: S311 - to be repeatable
    chosen = _stretch(text, chance)
    return chance.choice(_LEAD_INS).format(chosen) if chosen else None


def quote(said: Said, here: Sequence[Said], chance: random.Random) -> str | None:
    """A stretch of it in quotation marks, with one word replaced."""
    chosen = _stretch(said.text, chance)
    if chosen is None:
        return None
    old = chance.choice(list(_WORD.finditer(chosen)))
    new = chance.choice([word for word in words(chance.choice(here).text) if word.casefold() != old.group().casefold()])
    changed = chosen[: old.start()] + new + chosen[old.end() :]
    return chance.choice(_LEAD_INS).format(changed) if changed not in said.paragraph else None


def number(said: Said, here: Sequence[Said], chance: random.Random) -> str | None:
    """With another number: one of the passages, or one that is near."""
    spots = [found for found in _NUMBER.finditer(said.text) if not _YEAR.fullmatch(found.group())]
    spots = [found for found in spots if not re.match(rf" (?:{'|'.join(MONTHS)})", said.text[found.end() :])]
    if not spots:
        return None
    spot = chance.choice(spots)
    if spot.group() in COUNTS:
        return _replaced(said.text, spot, chance.choice([word for word in COUNTS if word not in said.text]))
    near = spot.group()[:-1] + chance.choice("0123456789")
    others = [
        found for other in here for found in re.findall(r"(?<![\w.,-])\d{1,3}(?:[.,]\d+)?(?![\w.,-])", other.text)
    ]
    return _differing(said.text, spot, chance.choice([near, *others[:1], chance.choice(others or [near])]))


def date(said: Said, here: Sequence[Said], chance: random.Random) -> str | None:
    """With another year, month or day."""
    spots = [found for pattern in (_YEAR, _MONTH, _DAY) for found in pattern.finditer(said.text)]
    if not spots:
        return None
    spot: re.Match[str] = chance.choice(spots)
    if spot.group() in MONTHS:
        return _replaced(said.text, spot, chance.choice([month for month in MONTHS if month not in said.text]))
    if len(spot.group()) < 3:
        return _differing(said.text, spot, str(chance.randint(1, 28)))
    others = [found for other in here for found in _YEAR.findall(other.text)]
    near = str(int(spot.group()) + chance.choice([-10, -2, -1, 1, 2, 10, 100]))
    return _differing(said.text, spot, chance.choice([near, *(others and [chance.choice(others)])]))


def name(said: Said, here: Sequence[Said], chance: random.Random) -> str | None:
    """With another name that stands in the passages."""
    spots = [found for pattern in (_NAME, _SUBJECT) for found in pattern.finditer(said.text)]
    spots = [
        found
        for found in spots
        if not set(words(found.group())) & {*MONTHS, "The"} and found.group().lower() not in _NO_SUBJECT
    ]
    others = sorted({found for other in here for found in _NAME.findall(other.text)})
    others = [found for found in others if not set(words(found)) & {*MONTHS, *words(said.text)}]
    if not spots or not others:
        return None
    spot = chance.choice(spots)
    start = spot.start(1) if spot.re is _SUBJECT else spot.start()
    return f"{said.text[:start]}{chance.choice(others)}{said.text[spot.end() :]}"


def negation(said: Said, _: Sequence[Said], chance: random.Random) -> str | None:
    """With a "not" or "never" more, or one less."""
    text = said.text
    ways = [text[: found.start()] + text[found.end() :] for found in _NEGATION.finditer(text)]
    ways += [text.replace(old, new, 1) for old, new in _WITHOUT.items() if old in text]
    if ways:
        return chance.choice(ways)
    spots = list(_AUXILIARY.finditer(text))
    if not spots:
        return None
    spot = chance.choice(spots)
    return f"{text[: spot.end()]} {chance.choice(['not', 'never'])}{text[spot.end() :]}"


def stitched(said: Said, other: Said) -> str | None:
    """The subject of one sentence with the predicate of another."""
    here, there = _PREDICATE.search(said.text), _PREDICATE.search(other.text)
    if here is None or there is None:
        return None
    kinds = {_NUMBER_OF_VERB.get(found["verb"], 0) for found in (here, there)}
    subject, predicate = said.text[: here.start()], other.text[there.start() :]
    if len(kinds) > 1 or not _is_subject(subject) or not _is_subject(other.text[: there.start()]):
        return None
    if len(words(predicate)) < 6 or _content(subject) & _content(other.text):
        return None
    return subject + predicate


def _is_subject(text: str) -> bool:
    found = words(text.casefold())
    return 0 < len(found) <= 7 and found[0] not in _NO_SUBJECT and not set(',;:()"') & set(text)


def _content(text: str) -> set[str]:
    return {word[:5] for word in words(text.casefold())} - _STOP


def _stretch(text: str, chance: random.Random) -> str | None:
    """Some words in a row, without quotation marks and brackets among them."""
    found = list(_WORD.finditer(text))
    length = min(chance.randint(*_STRETCH), len(found))
    first = chance.randrange(len(found) - length + 1)
    chosen = text[found[first].start() : found[first + length - 1].end()]
    # What begins after a "not", or ends before it, says the opposite.
    around = text[: found[first].start()][-5:] + text[found[first + length - 1].end() :][:5]
    if set(_QUOTE_MARKS + "()") & set(chosen) or "not" in around:
        return None
    return chosen


def _replaced(text: str, spot: re.Match[str], new: str) -> str:
    return text[: spot.start()] + new + text[spot.end() :]


def _differing(text: str, spot: re.Match[str], new: str) -> str | None:
    """The text with another number in the place, if it is another one that the text lacks."""
    return None if re.search(rf"(?<![\d.,]){re.escape(new)}(?![\d])", text) else _replaced(text, spot, new)
