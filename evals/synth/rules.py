"""Questions by templates, from headings that ask, table rows, numbers, times and definitions. English only."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from evals.synth.asked import Asked
from rag.language import ENGLISH, language_of
from rag.sentences import sentences
from rag.types import Chunk

MOST_WORDS, LEAST_WORDS = 40, 5
_NUMBER = (
    r"(?:(?:EUR|USD|GBP) ?)?\d[\d.,:]*(?<![.,:])"
    r"|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty)(?![\w-])"
)
_BOUND = r"(?:up to|at least|at most|about|more than|less than|only) "
_AUX = r"is|are|was|were|may be|must be|can be|will be|has to be|have to be"
_PAST = r"(?:ed|ept|aid|ent|ade|ken|ven|ead|eld|old|own)"
_MODAL = r"is|are|was|were|may|must|can|will|should"
# What can't be known without what stands before it.
_LEANING = re.compile(
    r"\b(?:this|that|these|those|it|its|they|them|their|he|she|his|her|we|our|you|your|here|such|above|below"
    r"|former|latter|following|both|others?)\b",
    re.IGNORECASE,
)
# "A day at sea has at most 12 hours from quay to quay."
_HAS = re.compile(
    rf"(?P<subject>\w[^,;:.]{{2,60}}?) (?P<verb>has|have|receives?|gets?) (?:{_BOUND})?(?P<fact>{_NUMBER}) "
    r"(?P<what>[a-z][a-z -]{2,40}?)"
    r"(?P<rest> (?:from|of|per|in|for|to|a|each|every|within|with)\b.*)?\.",
    re.IGNORECASE,
)
# "Up to five days may be carried into the next year."
_SO_MANY = re.compile(
    rf"(?:{_BOUND})?(?P<fact>{_NUMBER}) (?P<what>[a-z][a-z -]{{2,40}}?) (?P<aux>{_MODAL}) (?P<rest>.+)\.", re.IGNORECASE
)
# "Updates are installed within seven days after they are offered."
_DATE = r"\d{1,2} (?-i:[A-Z][a-z]{2,})(?: \d{4})?"
_TIMED = re.compile(
    rf"(?P<subject>\w[^,;:.]{{2,80}}?) (?P<aux>{_AUX}) (?P<done>\w+{_PAST}(?: [a-z]+){{0,3}}?) "
    rf"(?:(?P<span>within|for) (?:{_BOUND})?(?P<long>(?:{_NUMBER}) [a-z]+)"
    rf"|(?P<point>until|at|on|by) (?P<moment>\d{{1,2}}:\d\d|{_DATE}))",
    re.IGNORECASE,
)
# "A data breach is any loss of personal data that was not intended."
_DEFINED = re.compile(
    r"(?P<subject>(?:(?:the|a|an) )?\w[\w' -]{2,50}?) (?P<aux>is|are) (?:an?|the|any|work|time) .{20,}", re.IGNORECASE
)
_ASKING = {"within": "Within what time", "for": "For how long", "until": "Until when", "by": "By when"}
# Columns that make no question, and values that make no answer.
_NO_COLUMNS = ("who", "what", "when", "where", "which", "why", "how")
_NO_VALUES = ("yes", "no", "-", "–", "n/a", "none", "x")
_PREPOSITION = re.compile(
    r"(?:after|before|for|in|on|at|from|if|when|where|with|without|by|to|as|until|during)\b", re.I
)
_ARTICLES = ("a", "an", "the", "each", "every", "all", "some", "most", "notes", "no")


def ask_by_rule(chunk: Chunk, *, chance: random.Random) -> Asked | None:
    """A question that the passage answers; of several one by chance, and one of its heading where there is no other."""
    if language_of(chunk.text) != ENGLISH:
        return None
    asked = [*_of_heading(chunk), *_of_rows(chunk, chance), *_of_sentences(chunk)]
    return chance.choice(asked) if asked else next(_of_topic(chunk), None)


def leans(text: str) -> bool:
    """Whether a text points at something outside it, in English."""
    return _LEANING.search(text) is not None


def _of_heading(chunk: Chunk) -> Iterator[Asked]:
    if chunk.headings and chunk.headings[-1].strip().endswith("?"):
        yield Asked(question=chunk.headings[-1].strip(), fact="", sentence=_first(chunk))


def _of_rows(chunk: Chunk, chance: random.Random) -> Iterator[Asked]:
    """'Zone: A; Limit per night: EUR 105' asks for the limit per night of the zone A."""
    rows = [(line.strip(), row) for line in chunk.text.splitlines() if len(row := _cells(line)) > 1]
    for line, ((key, named), *others) in chance.sample(rows, min(len(rows), 2)):
        column, value = chance.choice(others)
        if column.split()[0].lower() not in _NO_COLUMNS and value.lower() not in _NO_VALUES:
            about = f"{key.lower()} {named}" if len(named) < 4 or named.isdecimal() else named
            is_plural = column.endswith("s") and not column.endswith("ss")
            asked = f"{column[0].lower()}{column[1:]}"
            yield Asked(
                question=f"What {'are' if is_plural else 'is'} the {asked} of {about}?", fact=value, sentence=line
            )


def _cells(line: str) -> list[tuple[str, str]]:
    """Names and values of a row of a table, as it stands in a passage."""
    parts = [part.partition(": ") for part in line.split("; ")]
    cells = [(" ".join(key.replace("_", " ").split()), value.strip()) for key, colon, value in parts if colon]
    is_row = len(cells) == len(parts) and all(0 < len(key) <= 40 and 0 < len(value) <= 60 for key, value in cells)
    return cells if is_row else []


def _of_sentences(chunk: Chunk) -> Iterator[Asked]:
    for start, end in sentences(chunk.text):
        sentence = chunk.text[start:end].lstrip("-•*– ").strip()
        is_plain = sentence.endswith(".") and not _PREPOSITION.match(sentence)
        if is_plain and LEAST_WORDS <= len(sentence.split()) <= MOST_WORDS:
            yield from (one for one in _of_sentence(sentence) if not leans(one.question))


def _of_sentence(sentence: str) -> Iterator[Asked]:
    if found := _HAS.fullmatch(sentence):
        verb = "have" if found["verb"].startswith("ha") else found["verb"].rstrip("s")
        does = "does" if found["verb"].endswith("s") else "do"
        rest = found["rest"] or ""
        yield _asked(
            f"How many {found['what']} {does} {_inner(found['subject'])} {verb}{rest}?", found["fact"], sentence
        )
    elif found := _SO_MANY.fullmatch(sentence):
        yield _asked(f"How many {found['what']} {found['aux']} {found['rest']}?", found["fact"], sentence)
    elif found := _TIMED.match(sentence):
        aux, _, more = found["aux"].partition(" ")
        when = _ASKING.get((found["span"] or found["point"]).lower(), "When")
        done = " ".join(filter(None, [more, found["done"]]))
        yield _asked(f"{when} {aux} {_inner(found['subject'])} {done}?", found["long"] or found["moment"], sentence)
    elif found := _DEFINED.match(sentence):
        yield _asked(f"What {found['aux']} {_inner(found['subject'])}?", "", sentence)


def _asked(question: str, fact: str, sentence: str) -> Asked:
    return Asked(question=" ".join(question.split()), fact=fact, sentence=sentence)


def _inner(subject: str) -> str:
    """A subject as it stands within a sentence: its first word keeps its capital where it may be a name."""
    first, _, rest = subject.partition(" ")
    is_plain = first.lower() in _ARTICLES or (first.isalpha() and first.lower().endswith("s") and not first.isupper())
    return f"{first.lower() if is_plain else first} {rest}".strip()


def _of_topic(chunk: Chunk) -> Iterator[Asked]:
    heading = chunk.headings[-1].lstrip("0123456789. ").strip() if chunk.headings else ""
    if len(heading.split()) > 1 and chunk.title and not leans(heading):
        yield Asked(question=f"What does “{chunk.title}” say about “{heading}”?", fact="", sentence=_first(chunk))


def _first(chunk: Chunk) -> str:
    spans = sentences(chunk.text)
    return chunk.text[slice(*spans[0])] if spans else ""
