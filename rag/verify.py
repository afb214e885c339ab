"""Does the answer stand in the passages? Claim by claim, by rules, without a model.

A claim is a sentence of the answer. Its evidence is the sentence (or two neighbouring ones, or table row) of a
passage that holds most of its terms. A number that stands in no cited passage makes a claim unsupported, whatever
else matches; a name or a negation that differs makes it partly supported at best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.claims import MARKER, Part, split
from rag.evidence import Evidence, Question, Quote, Terms, read, together, weigh
from rag.spelling import plain
from rag.types import Citation, Claim, Passage, Support, Verdict

# MARKER and plain: the metrics compare texts as the check does.
__all__ = ["MARKER", "Checked", "Thresholds", "plain", "verify"]

# From worst to best.
SUPPORTS: tuple[Support, ...] = ("unsupported", "partly", "supported")
QUOTE_CHARS = 300


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
class _Judged:
    """A claim and the words it rests on, one quote for each of its markers."""

    claim: Claim
    quotes: tuple[Quote, ...] = ()


def verify(text: str, passages: Sequence[Passage], *, question: str, terms: Terms, thresholds: Thresholds) -> Checked:
    """Check an answer against the passages it was written from.

    `terms` maps a text to the set of its stemmed content words. A citation that the model gave is kept where its
    passage supports the claim, and replaced by the best passage where it does not; a claim that takes several
    passages gets them all. All else of the text stays as the model wrote it.
    """
    against = _Against(question, passages, terms=terms, thresholds=thresholds)
    parts = split(text, {passage.marker for passage in passages})
    judged = [against.judge(part) if part.claim else None for part in parts]
    written = [
        part.with_markers(found.claim.markers if found else ()) for part, found in zip(parts, judged, strict=True)
    ]
    claims = [found for found in judged if found]
    return Checked(
        # Not lstrip(): the first item of a list keeps the indentation of the others. One space is the tokenizer's.
        text="".join(written).rstrip().lstrip("\r\n").removeprefix(" "),
        citations=_citations(claims),
        verdict=Verdict(claims=tuple(found.claim for found in claims)),
    )


class _Against:
    """The passages of one answer, ready to be held against its claims."""

    def __init__(self, question: str, passages: Sequence[Passage], *, terms: Terms, thresholds: Thresholds) -> None:
        self._question = Question(text=question, asked=terms(question), terms=terms)
        self._sources = [read(passage, self._question) for passage in passages]
        self._thresholds = thresholds

    def judge(self, part: Part) -> _Judged:
        """Find the passages that carry a claim, and how well they do."""
        if not self._sources:
            claim = Claim(text=part.claim, markers=(), support="unsupported", score=0.0, reason="no passages")
            return _Judged(claim=claim)
        chosen = self._chosen(part)
        best = max(chosen, key=self._rank)
        support = self._support(best)
        quotes = [quote for evidence in chosen for quote in evidence.quotes] if support != "unsupported" else []
        claim = Claim(
            text=part.claim,
            markers=tuple(sorted(quote.passage.marker for quote in quotes)),
            support=support,
            score=round(best.score, 3),
            reason=best.reason or ("" if support == "supported" else "the passages say little of this"),
        )
        return _Judged(claim=claim, quotes=tuple(quotes))

    def _chosen(self, part: Part) -> list[Evidence]:
        """The cited passages that support the claim, else the best one, else several that do so together."""
        found = [weigh(part.claim, [source], self._question) for source in self._sources]
        cited = [evidence for evidence in found if evidence.quotes[0].passage.marker in part.cites]
        if supporting := [evidence for evidence in cited if self._support(evidence) == "supported"]:
            return supporting
        best = max(found, key=self._rank)
        if self._support(best) == "supported":
            return [best]
        several = together(cited if len(cited) > 1 else found)
        joint = weigh(part.claim, several, self._question) if len(several) > 1 else best
        return [joint if self._support(joint) == "supported" else best]

    def _support(self, evidence: Evidence) -> Support:
        at = self._thresholds
        level = (evidence.score >= at.partly_at) + (evidence.score >= at.supported_at)
        return min(SUPPORTS[level], evidence.ceiling, key=SUPPORTS.index)

    def _rank(self, evidence: Evidence) -> tuple[int, float]:
        """How well it carries the claim: better support first, then more shared terms."""
        return SUPPORTS.index(self._support(evidence)), evidence.score


def _citations(judged: Sequence[_Judged]) -> tuple[Citation, ...]:
    by_marker: dict[int, list[tuple[Claim, Quote]]] = {}
    for found in judged:
        for quote in found.quotes:
            by_marker.setdefault(quote.passage.marker, []).append((found.claim, quote))
    return tuple(_citation(marker, pairs) for marker, pairs in sorted(by_marker.items()))


def _citation(marker: int, pairs: Sequence[tuple[Claim, Quote]]) -> Citation:
    _, best = max(pairs, key=lambda pair: (SUPPORTS.index(pair[0].support), pair[1].score))
    chunk = best.passage.hit.chunk
    return Citation(
        marker=marker,
        uri=chunk.uri,
        page=chunk.page,
        headings=chunk.headings,
        quote=best.text[:QUOTE_CHARS].strip(),
        supported=all(claim.support == "supported" for claim, _ in pairs),
    )
