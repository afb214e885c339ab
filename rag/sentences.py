"""Where sentences begin and end, by rules that hold for many languages and need no model."""

from __future__ import annotations

import re

# Possessive quantifiers throughout: a page of dots or brackets must cost linear time.
_END = re.compile(
    r"\n+"
    r"|(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?:\s*+\[\d{1,4}\])*+(?=\s)"
    r"|[。！？｡]++[」』）”’\"]*+(?:\[\d{1,4}\])*+"
    r"|[।॥؟۔]++(?=\s)"
)
_LAST_WORD = re.compile(r"[^\s(\[\"'“„«]*$")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")  # e.g, i.e, z.B, U.S: letters with dots between them
_LOOK_BACK_CHARS = 40

# Never the end of a sentence.
_TITLES = frozenset(
    "dr mr mrs ms prof st sr jr hr fr mme mlle sra dra dipl ing rev gen col capt lt sgt hon "
    "vs cf viz approx ca bzw sog ggf evtl inkl exkl zzgl vgl resp incl excl max min".split()
)
# The end of a sentence unless a number follows: No. 5, Fig. 2, Art. 12.
_BEFORE_NUMBER = frozenset(
    "no nos nr num fig figs art arts abs sec sect ch chap vol vols p pp par para eq tab ziff kap ext tel".split()
)
_MONTHS = re.compile(
    r"jan|feb|mar|mär|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz]|ene|abr|ago|set|dic|gen|mag|giu|lug|ott",
    re.IGNORECASE,
)


def sentences(text: str) -> list[tuple[int, int]]:
    """The spans of the sentences of `text`, without the white space around them.

    Every character that is not white space lies in exactly one span. A line break always ends a sentence;
    citation markers such as [1] after the full stop belong to the sentence before them.
    """
    spans, start = [], 0
    for match in _END.finditer(text):
        if "\n" in match.group() or _ends(text, start, match):
            spans.append((start, match.end()))
            start = match.end()
    spans.append((start, len(text)))
    return [span for begin, end in spans if (span := _trimmed(text, begin, end))]


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int] | None:
    inner = text[begin:end]
    kept = inner.strip()
    if not kept:
        return None
    left = begin + len(inner) - len(inner.lstrip())
    return left, left + len(kept)


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    mark, follows = match.group(), _next_character(text, match.end())
    if mark[0] in "。！？｡।॥؟۔":
        return True
    if follows.islower():
        return False
    return mark != "." or not _abbreviates(text, start, match)


def _abbreviates(text: str, start: int, match: re.Match[str]) -> bool:
    head = text[max(start, match.start() - _LOOK_BACK_CHARS) : match.start()]
    found = _LAST_WORD.search(head)
    word = found.group() if found else ""
    follows = _next_character(text, match.end())
    if word.isdigit():
        # "1. March" is a date, and "1." opening a line numbers what comes after it.
        return len(word) <= 2 and (_is_month(text, match.end()) or not text[start : match.start()].strip(f"{word} \t"))
    if word.lower() in ("a.m", "p.m"):
        return False
    if word.lower() in _BEFORE_NUMBER:
        return follows.isdigit()
    return word.lower() in _TITLES or _is_initial(word) or bool(_DOTTED.fullmatch(word))


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word.isupper()


def _is_month(text: str, position: int) -> bool:
    return bool(_MONTHS.match(text[position : position + 12].lstrip()))


def _next_character(text: str, position: int) -> str:
    rest = text[position : position + 20].lstrip(" \t\r\n\"'“„«([")
    return rest[:1]
