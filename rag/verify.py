"""Does the answer stand in the passages? Claim by claim, by rules; a model is heard only where one is given.

A claim is a sentence of the answer. Its evidence is the sentence (or two neighbouring ones, or table row) of a
passage that holds most of its terms. Shared words are not enough: another number, date or name in the same place, or
a denial of what the passage affirms, contradicts the claim (`flaws.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag.claims import MARKER, Part, split
from rag.clauses import cuts
from rag.evidence import Evidence, asked, read, statement, weigh
from rag.flaws import Statement, flaw
from rag.spelling import plain
from rag.types import Citation, Claim, Passage, Support, Verdict
from rag.wording import Terms, words

# MARKER and plain: the metrics compare texts as the check does.
__all__ = ["MARKER", "Checked", "Thresholds", "plain", "verify"]

# From worst to best.
SUPPORTS: tuple[Support, ...] = ("unsupported", "contradicted", "partly", "supported")
LITTLE = "the passages say little of this"
QUOTE_CHARS = 300
# From what tells least of a claim to what tells most.
TELLING: tuple[Support, ...] = ("unsupported", "partly", "contradicted", "supported")
# A stretch with fewer words of content is no statement that a passage could carry alone.
STATEMENT_TERMS = 3
# Asked with a claim and the text of a passage: the model that says that the passage says so, '' if none does.
Supporter = Callable[[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Shares of a claim's terms that its evidence must hold, and who is asked about one that holds fewer."""

    supported_at: float
    partly_at: float
    supporter: Supporter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An answer after the check: its text with repaired citations, and what they are worth.

    `rests_on` are the sentences that carry its claims, by the number of their passage.
    """

    text: str
    citations: tuple[Citation, ...]
    verdict: Verdict
    rests_on: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What a claim, or a stretch of one, has from one passage.

    `is_open` tells that another reader might see more in it: no number, name or quotation of it is altered.
    """

    evidence: Evidence
    support: Support
    reason: str
    is_open: bool = False

    @property
    def rank(self) -> tuple[int, float]:
        """How much it tells of the claim: a contradiction more than half a support; then the share of words."""
        return TELLING.index(self.support), self.evidence.score

    @property
    def marker(self) -> int:
        """The number of the passage."""
        return self.evidence.source.passage.marker


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A claim and the words it rests on, one piece of evidence for each of its markers."""

    claim: Claim
    rests_on: tuple[Evidence, ...] = ()


def verify(text: str, passages: Sequence[Passage], *, question: str, terms: Terms, thresholds: Thresholds) -> Checked:
    """Check an answer against the passages it was written from.

    `terms` maps a text to the set of its stemmed content words. A citation that the model gave is kept where its
    passage supports the claim, and replaced by the best passage where it does not; a claim that takes several
    passages gets them all. All else of the text stays as the model wrote it. The supporter is asked about
    each claim that the rules call partly supported or unsupported, but for a quotation or a number that is not there.
    """
    against = _Against(question, passages, terms=terms, thresholds=thresholds)
    parts = split(text, {passage.marker for passage in passages})
    judged = [against.judge(part) if part.claim else None for part in parts]
    written = [
        part.with_markers(found.claim.markers if found else ()) for part, found in zip(parts, judged, strict=True)
    ]
    claims = [found for found in judged if found]
    by_marker = _by_marker(claims)
    return Checked(
        # Not lstrip(): the first item of a list keeps the indentation of the others. One space is the tokenizer's.
        text="".join(written).rstrip().lstrip("\r\n").removeprefix(" "),
        citations=tuple(_citation(marker, pairs) for marker, pairs in by_marker.items()),
        verdict=Verdict(claims=tuple(found.claim for found in claims)),
        rests_on={marker: _joined([each.window.text for _, each in pairs]) for marker, pairs in by_marker.items()},
    )


class _Against:
    """The passages of one answer, ready to be held against its claims."""

    def __init__(self, question: str, passages: Sequence[Passage], *, terms: Terms, thresholds: Thresholds) -> None:
        self._question = asked(question, passages, terms)
        self._sources = [read(passage, self._question) for passage in passages]
        self._thresholds = thresholds

    def judge(self, part: Part) -> _Judged:
        """Find the passages that carry a claim, and how well they do."""
        cited = tuple(sorted(part.cites))
        if not self._sources:
            claim = Claim(text=part.claim, markers=(), support="unsupported", score=0.0, reason="no passages")
            return _Judged(claim=claim)
        chosen = self._chosen(statement(part.claim), part.cites)
        worst = min(chosen, key=lambda held: held.evidence.score)
        if judge := self._supporter(part.claim, worst):
            worst = replace(worst, support="supported", reason=f"the judge {judge} says so")
        kept = {held.marker: held.evidence for held in chosen} if worst.support != "unsupported" else {}
        claim = Claim(
            text=part.claim,
            markers=tuple(sorted(kept)),
            support=worst.support,
            score=round(worst.evidence.score, 3),
            reason=worst.reason,
            cited=cited,
            judge=judge,
        )
        return _Judged(claim=claim, rests_on=tuple(kept.values()))

    def _supporter(self, claim: str, held: _Held) -> str:
        """The model that sees a claim in the passage where the rules don't; '' if none does or is asked."""
        ask = self._thresholds.supporter if held.is_open else None
        return ask(claim, held.evidence.source.passage.text) if ask else ""

    def _chosen(self, claim: str, cites: frozenset[int]) -> list[_Held]:
        """The cited passages that support a claim, else the best one, else several that do so together."""
        found = self._held(claim)
        # A passage that says nearly the same, but for a number, tells more than one that has the number and less else.
        against = max((held.evidence.score for held in found if held.support == "contradicted"), default=0.0)
        if all(held.evidence.score <= against for held in found if held.support == "supported") and against:
            return [max(found, key=lambda held: (held.support == "contradicted", held.evidence.score))]
        if supporting := [held for held in found if held.marker in cites and held.support == "supported"]:
            return supporting
        best = max(found, key=lambda held: held.rank)
        sure = best.support in ("supported", "contradicted")
        return [best] if sure else self._together(claim, cites) or [best]

    def _together(self, claim: str, cites: frozenset[int]) -> list[_Held]:
        """Passages that each support a statement of the claim; none if one of its statements has no support."""
        for first, rest in cuts(claim):
            if self._is_statement(first) and self._is_statement(rest) and (begun := self._alone(first, cites)):
                ended = self._alone(rest, cites)
                others = [ended] if ended else self._together(rest, cites)
                return [begun, *others] if others else []
        return []

    def _is_statement(self, text: str) -> bool:
        return len(self._question.terms(text)) >= STATEMENT_TERMS

    def _alone(self, claim: str, cites: frozenset[int]) -> _Held | None:
        """The passage that supports a stretch of a claim to its last word, a cited one if it can be."""
        terms = self._question.terms
        last = next((stems for word in reversed(claim.split()) if (stems := terms(word))), frozenset[int]())
        supporting = (held for held in self._held(claim) if held.support == "supported")
        # A subject with a verb shares most words with what the passage says of that subject in other words.
        found = [held for held in supporting if last <= held.evidence.held]
        return max(found, key=lambda held: (held.marker in cites, held.rank), default=None)

    def _held(self, claim: str) -> list[_Held]:
        found = weigh(claim, self._sources, self._question)
        nearest = max(evidence.score for evidence in found)
        said = Statement(text=claim, words=words(claim, self._question.terms, known=self._question.known))
        return [self._support(said, evidence, nearest) for evidence in found]

    def _support(self, claim: Statement, evidence: Evidence, nearest: float) -> _Held:
        at = self._thresholds
        level = SUPPORTS[0 if evidence.score < at.partly_at else 2 if evidence.score < at.supported_at else 3]
        if level == "unsupported" and evidence.score < nearest:
            return _Held(evidence=evidence, support=level, reason=LITTLE)
        ceiling, reason = flaw(claim, evidence, self._question)
        support = min(level, ceiling, key=SUPPORTS.index)
        told = reason if support == ceiling else LITTLE
        is_open = support != "supported" and ceiling in ("partly", "supported")
        return _Held(evidence=evidence, support=support, reason=told, is_open=is_open)


def _by_marker(judged: Sequence[_Judged]) -> dict[int, list[tuple[Claim, Evidence]]]:
    """Each claim with its evidence in a passage, by the passage's number, in order."""
    by_marker: dict[int, list[tuple[Claim, Evidence]]] = {}
    for found in judged:
        for evidence in found.rests_on:
            by_marker.setdefault(evidence.source.passage.marker, []).append((found.claim, evidence))
    return dict(sorted(by_marker.items()))


def _joined(windows: Sequence[str]) -> str:
    """Each text once, on lines of its own; one that stands in another is left out."""
    texts = dict.fromkeys(windows)
    return "\n".join(text for text in texts if not any(text in other for other in texts if other != text))


def _citation(marker: int, pairs: Sequence[tuple[Claim, Evidence]]) -> Citation:
    _, best = max(pairs, key=lambda pair: (SUPPORTS.index(pair[0].support), pair[1].score))
    chunk = best.source.passage.hit.chunk
    return Citation(
        marker=marker,
        uri=chunk.uri,
        page=chunk.page,
        headings=chunk.headings,
        quote=best.window.text[:QUOTE_CHARS].strip(),
        supported=all(claim.support == "supported" for claim, _ in pairs),
    )
