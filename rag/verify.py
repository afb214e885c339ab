"""Does the answer stand in the passages? Claim by claim, by rules, without a model.

A claim is a sentence of the answer. Its evidence is the sentence (or two neighbouring ones, or table row) of a
passage that holds most of its terms. A number that stands in no cited passage makes a claim unsupported, whatever
else matches; a name or a negation that differs makes it partly supported at best.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.sentences import sentences
from rag.types import Citation, Claim, Passage, Support, Verdict

Terms = Callable[[str], frozenset[int]]

MARKER = re.compile(r"\s*\[(\d{1,3})\]")
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
QUOTED = re.compile(r"[\"“„«]([^\"”“»]{12,}?)[\"”“»]")
NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][\w’'-]+")
NEGATION = re.compile(
    r"\b(not|no|never|none|cannot|without|nicht|kein\w*|nie|ohne|pas|jamais|sans|nunca|sin)\b|n['’]t\b", re.IGNORECASE
)
# From worst to best.
SUPPORTS: tuple[Support, ...] = ("unsupported", "partly", "supported")
# A term that the question already holds is repeated, not claimed: it counts half.
ASKED_WEIGHT = 0.5
QUOTE_CHARS = 300
# A claim of fewer words is an answer to the question, not a statement of its own.
SENTENCE_WORDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Shares of a claim's terms that its evidence must hold."""

    supported_at: float
    partly_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An answer after the check: its text with repaired citations, and what they are worth."""

    text: str
    citations: tuple[Citation, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What claims are held against besides the passages: the question, its terms, how terms are made."""

    text: str
    asked: frozenset[int]
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    passage: Passage
    quote: str
    score: float
    reason: str
    support: Support

    @property
    def rank(self) -> tuple[int, float]:
        """How well it carries the claim: better support first, then more shared terms."""
        return SUPPORTS.index(self.support), self.score


def verify(text: str, passages: Sequence[Passage], *, question: str, terms: Terms, thresholds: Thresholds) -> Checked:
    """Check an answer against the passages it was written from.

    `terms` maps a text to the set of its stemmed content words. A citation that the model gave is kept where its
    passage supports the claim, and replaced by the best passage where it does not.
    """
    against = _Question(text=question, asked=terms(question), terms=terms)
    spans = [span for span in sentences(text) if MARKER.sub("", text[slice(*span)]).strip(" -*•|")]
    judged = [_judge(text[start:end], passages, against, thresholds) for start, end in spans]
    verdict = Verdict(claims=tuple(claim for claim, _ in judged))
    return Checked(
        text=_joined(text, spans, verdict.claims),
        citations=_citations(judged),
        verdict=verdict,
    )


def _joined(text: str, spans: Sequence[tuple[int, int]], claims: Sequence[Claim]) -> str:
    """The claims with their markers, lines where the model wrote lines."""
    starts = [0, *(end for _, end in spans)]
    gaps = ["\n" if "\n" in text[a:b] else " " for a, (b, _) in zip(starts, spans, strict=False)]
    return "".join(gap + _marked(claim) for gap, claim in zip(gaps, claims, strict=True)).strip()


def _judge(
    sentence: str, passages: Sequence[Passage], against: _Question, thresholds: Thresholds
) -> tuple[Claim, _Evidence | None]:
    claim = MARKER.sub("", sentence).strip()
    given = {int(number) for number in MARKER.findall(sentence)}
    found = [_evidence(claim, passage, against, thresholds) for passage in passages]
    best = max(found, key=lambda evidence: evidence.rank, default=None)
    if best is None:
        return Claim(text=claim, markers=(), support="unsupported", score=0.0, reason="no passages"), None
    cited = [e for e in found if e.passage.marker in given and e.support == "supported"]
    chosen = max(cited, key=lambda evidence: evidence.rank, default=best)
    markers = () if chosen.support == "unsupported" else (chosen.passage.marker,)
    reason = chosen.reason or ("" if chosen.support == "supported" else "the passages say little of this")
    score = round(chosen.score, 3)
    found_claim = Claim(text=claim, markers=markers, support=chosen.support, score=score, reason=reason)
    return found_claim, chosen if markers else None


def _support(score: float, flaw: str, thresholds: Thresholds) -> Support:
    if flaw.startswith(("number", "quote")) or score < thresholds.partly_at:
        return "unsupported"
    return "partly" if flaw or score < thresholds.supported_at else "supported"


def _evidence(claim: str, passage: Passage, against: _Question, thresholds: Thresholds) -> _Evidence:
    chunk = passage.hit.chunk
    context = " ".join((chunk.title, *chunk.headings))
    wanted, held = against.terms(claim), against.terms(context)
    windows = [passage.text[start:end].strip() for start, end in _windows(passage.text)]
    shares = {window: _share(wanted, against.terms(window) | held, against.asked) for window in windows}
    # Among equal windows the one nearest to the question, then the shortest, is the quote.
    quote = max(windows, key=lambda window: shares[window] + _nearness(window, against), default="")
    score, flaw = shares.get(quote, 0.0), _flaw(claim, f"{passage.text} {context}", quote, against.text)
    support = _support(score, flaw, thresholds)
    return _Evidence(passage=passage, quote=quote[:QUOTE_CHARS].strip(), score=score, reason=flaw, support=support)


def _nearness(window: str, against: _Question) -> float:
    shared = len(against.terms(window) & against.asked) / (len(against.asked) or 1)
    return 0.2 * shared - 0.0001 * len(window)


def _share(wanted: frozenset[int], held: frozenset[int], asked: frozenset[int]) -> float:
    def weight(found: frozenset[int]) -> float:
        return len(found - asked) + ASKED_WEIGHT * len(found & asked)

    return weight(wanted & held) / weight(wanted) if wanted else 0.0


def _flaw(claim: str, passage: str, quote: str, question: str) -> str:
    text = plain(passage)
    for quoted in QUOTED.findall(claim):
        if plain(quoted) not in text:
            return f"quote not in the passage: {quoted[:60]}"
    missing = numbers(claim) - numbers(passage) - numbers(question)
    if missing:
        return f"number not in the passage: {', '.join(sorted(missing))}"
    names = [name for name in NAME.findall(claim) if plain(name) not in text and plain(name) not in plain(question)]
    if names:
        return f"name not in the passage: {', '.join(names[:3])}"
    # "Six days" neither affirms nor denies what its row says besides.
    whole = len(claim.split()) >= SENTENCE_WORDS and not NEGATION.search(question)
    if whole and bool(NEGATION.search(claim)) != bool(NEGATION.search(quote)):
        return "negation differs from the passage"
    return ""


def numbers(text: str) -> frozenset[str]:
    """The numbers of a text in one spelling: 1,000 is 1000 and 0,38 is 0.38."""
    return frozenset(_number(found) for found in NUMBER.findall(text))


def plain(text: str) -> str:
    """A text for comparison: typography, case and white space evened out."""
    even = unicodedata.normalize("NFKC", text).translate(str.maketrans("’‘“”„–—‑", '\'\'"""---'))
    return " ".join(even.casefold().split())


def _number(text: str) -> str:
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    elif re.fullmatch(r"\d{1,3}(\.\d{3})+", text):
        text = text.replace(".", "")
    text = text.replace(",", ".")
    return text.rstrip("0").rstrip(".") if re.fullmatch(r"\d+\.\d+", text) else text.lstrip("0") or "0"


def _windows(text: str) -> list[tuple[int, int]]:
    units = sentences(text)
    pairs = [(a[0], b[1]) for a, b in pairwise(units)]
    return [*units, *pairs]


def _marked(claim: Claim) -> str:
    if not claim.markers:
        return claim.text
    body = claim.text.rstrip(".!?。")
    marks = "".join(f"[{marker}]" for marker in claim.markers)
    return f"{body} {marks}{claim.text[len(body) :] or '.'}"


def _citations(judged: Sequence[tuple[Claim, _Evidence | None]]) -> tuple[Citation, ...]:
    by_marker: dict[int, list[tuple[Claim, _Evidence]]] = {}
    for claim, evidence in judged:
        if evidence:
            by_marker.setdefault(evidence.passage.marker, []).append((claim, evidence))
    return tuple(_citation(marker, pairs) for marker, pairs in sorted(by_marker.items()))


def _citation(marker: int, pairs: Sequence[tuple[Claim, _Evidence]]) -> Citation:
    best = max((evidence for _, evidence in pairs), key=lambda evidence: evidence.rank)
    chunk = best.passage.hit.chunk
    return Citation(
        marker=marker,
        uri=chunk.uri,
        page=chunk.page,
        headings=chunk.headings,
        quote=best.quote,
        supported=all(claim.support == "supported" for claim, _ in pairs),
    )
