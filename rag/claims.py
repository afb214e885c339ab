"""The claims of an answer, and the Markdown around them, which stays as the model wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from rag.sentences import sentences
from rag.spelling import MONTH

Kind = Literal["fence", "code", "title", "row", "text"]

# [1], [1, 2]; but not the text of a link: [1](address).
MARKER = re.compile(r"(?<!\s)\s*+\[(\d{1,3}(?:\s?[,;]\s?\d{1,3})*+)\](?!\()")
_CODE_OR_MARKER = re.compile(rf"`[^`]*+`|{MARKER.pattern}")
_FENCE = re.compile(r"[\s>]*(?:```[^`]*|~~~.*)", re.DOTALL)
_HEADING = re.compile(r"[\s>]*#{1,6}\s")
_OPENING = re.compile(rf"[\s>]*+(?:[-*+•–]\s++)?(?:(\d{{1,2}})[.)]\s++(?!{MONTH}))?(?:\[[ xX]\]\s++)?", re.IGNORECASE)
_ROW_EDGE = "| \t\r\n"
_STOPS = ".!?。"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of an answer: a claim, or "" where there is none, between what stays as it is.

    `cites` are the passages that the model named for it; `marked` is False where a marker would do harm.
    """

    before: str
    claim: str = ""
    after: str = ""
    cites: frozenset[int] = frozenset()
    marked: bool = True

    def with_markers(self, markers: Sequence[int]) -> str:
        """The text of the part, with markers before the claim's full stop."""
        marks = "".join(f"[{marker}]" for marker in markers) if self.marked else ""
        body = self.claim.rstrip(_STOPS) if marks else self.claim
        return f"{self.before}{body}{' ' * bool(marks)}{marks}{self.claim[len(body) :]}{self.after}"


def split(text: str, markers: AbstractSet[int]) -> list[Part]:
    """The parts of an answer in order; together they are its text, without the markers of passages.

    Claims are sentences, list items, table rows and lines of code. Headings, lines that end in a colon, table
    headers, separators and code fences are none. A number in brackets that is none of `markers` is text.
    """
    lines = text.splitlines(keepends=True)
    openings = [_OPENING.match(line) for line in lines]
    counted = {0, *(int(found[1]) for found in openings if found and found[1])}
    return [
        part
        for line, kind in zip(lines, _kinds(lines), strict=True)
        for part in _parts(line, kind, counted=counted, markers=markers)
    ]


def _kinds(lines: Sequence[str]) -> Iterator[Kind]:
    fences = [bool(_FENCE.fullmatch(line)) for line in lines]
    coded = accumulate(fences, lambda inside, fence: inside != fence)
    for line, following, fence, code in zip(lines, [*lines, ""][1:], fences, coded, strict=True):
        if fence or code:
            yield "fence" if fence else "code"
        elif _HEADING.match(line) or ("|" in line and _separates(following)):
            yield "title"
        else:
            yield "row" if line.lstrip(" \t>").startswith("|") else "text"


def _separates(line: str) -> bool:
    return {"|", "-"} <= set(line) <= set("|:->" + " \t\r\n")


def _parts(line: str, kind: Kind, *, counted: AbstractSet[int], markers: AbstractSet[int]) -> Iterator[Part]:
    if kind == "fence":
        yield Part(before=line)
    elif kind == "code":
        yield _framed(line, " \t\r\n", cites=frozenset(), marked=False)
    elif kind == "title":
        yield Part(before=_cited(line, markers)[0])
    elif kind == "row":
        bare, cites = _cited(line, markers)
        yield _framed(bare, _ROW_EDGE, cites=cites)
    else:
        yield from _sentences(_spread(line, markers), counted=counted, markers=markers)


def _framed(text: str, edge: str, *, cites: frozenset[int], marked: bool = True) -> Part:
    """A whole line as one claim, without its edges."""
    if not _says_something(text):
        return Part(before=text)
    start, end = len(text) - len(text.lstrip(edge)), len(text.rstrip(edge))
    return Part(before=text[:start], claim=text[start:end], after=text[end:], cites=cites, marked=marked)


def _sentences(line: str, *, counted: AbstractSet[int], markers: AbstractSet[int]) -> Iterator[Part]:
    done, opening = 0, _opening(line, counted)
    for start, end in ((opening + a, opening + b) for a, b in sentences(line[opening:])):
        bare, cites = _cited(line[start:end], markers)
        before, claim = line[done:start], bare.strip()
        is_claim = _says_something(claim) and not claim.rstrip("*_ ").endswith((":", "："))
        yield Part(before=before, claim=claim, cites=cites) if is_claim else Part(before=before + claim)
        done = end
    yield Part(before=line[done:])


def _opening(line: str, counted: AbstractSet[int]) -> int:
    """Where the text of a line begins: after its bullet, and after its number if that counts items."""
    found = _OPENING.match(line)
    if found is None:
        return 0
    return found.end() if found[1] is None or int(found[1]) - 1 in counted else found.start(1)


def _says_something(text: str) -> bool:
    return re.search(r"\w", text) is not None


def _cited(text: str, markers: AbstractSet[int]) -> tuple[str, frozenset[int]]:
    """A text without the markers of passages, and these markers."""
    cites = [_known(match, markers) for match in _CODE_OR_MARKER.finditer(text)]
    bare = _CODE_OR_MARKER.sub(lambda match: "" if _known(match, markers) else match.group(), text)
    return bare, frozenset(marker for group in cites for marker in group)


def _spread(text: str, markers: AbstractSet[int]) -> str:
    """A text with [1, 2] as [1][2], which sentences() takes to the sentence before."""

    def each(match: re.Match[str]) -> str:
        known = _known(match, markers)
        space = match.group().partition("[")[0]
        return space + "".join(f"[{marker}]" for marker in known) if known else match.group()

    return _CODE_OR_MARKER.sub(each, text)


def _known(match: re.Match[str], markers: AbstractSet[int]) -> list[int]:
    """The numbers of a marker if passages have them all; none for inline code."""
    found = [int(number) for number in re.findall(r"\d+", match[1] or "")]
    return found if set(found) <= markers else []
