"""The quotations of a claim: they must stand in the passage word for word."""

from __future__ import annotations

import re

from rag.spelling import plain

# Single quotation marks are apostrophes too: one that opens stands before a letter, one that closes after all of them.
QUOTED = re.compile(
    r"""(?<!\w)(?:"[^"]*"|“[^”“]*[”“]|„[^“”"]*[“”"]|”[^”]*”|«[^»]*»|»[^«]*«|「[^」]*」|『[^』]*』"""
    # A quotation of several sentences opens in one claim and closes in another.
    r"""|“[^”“]*$|"(?=\w)[^"]*$|‘(?:[^’]|’(?=\w))*’|‚[^‘’]*[‘’]|'(?=[^\W\d])(?:[^'\n]|'(?=\w))*(?<=\S)'(?!\w))"""
    r"""|^[^"“”„]*(?<=[.!?…])["“”]"""
)
# Shorter words in quotation marks are a term, not a quotation, unless there are two.
QUOTATION_CHARS = 12
_MARKS = re.compile("[\"'“”„«»「」『』‘’‚`]")
# Scripts that write with spaces between words: in the others a quotation may begin and end anywhere.
_SPACED = re.compile(r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def quotable(text: str) -> str:
    """A text as quotations are looked for in it: without its own quotation marks, in plain spelling."""
    return " ".join(_MARKS.sub("", plain(text)).split())


def misquoted(claim: str, text: str) -> list[str]:
    """The quotations of a claim that do not stand in a quotable() text, as whole words."""
    inner = (quotable(found.group()).strip(" .,;:!?…") for found in QUOTED.finditer(claim))
    return [quoted for quoted in inner if _is_quotation(quoted) and not _stands(quoted, text)]


def _is_quotation(quoted: str) -> bool:
    return len(quoted) >= QUOTATION_CHARS or " " in quoted


def _stands(quoted: str, text: str) -> bool:
    at = text.find(quoted)
    while at >= 0:
        if not _cuts_word(text, at) and not _cuts_word(text, at + len(quoted)):
            return True
        at = text.find(quoted, at + 1)
    return False


def _cuts_word(text: str, at: int) -> bool:
    return 0 < at < len(text) and bool(_SPACED.match(text[at - 1]) and _SPACED.match(text[at]))
