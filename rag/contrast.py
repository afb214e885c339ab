"""Where a claim says another number, name or date than its evidence in the same place, or denies what it affirms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from rag.wording import Sort, Word

# A word that the evidence has elsewhere is another one here only between so many equal words on each side: else
# "Norway beat Sweden" would contradict "Sweden was beaten by Norway".
SURE_WORDS = 2
# How far from a negation the words stand that it may deny.
REACH = 3
# "Did not open" beside "had opened", but not "no more than five" beside "up to five".
SMALL_WORDS = 3
# English, German, French, Spanish.
LIMITS = frozenset(
    "only just more less fewer later earlier nur bloß lediglich mehr weniger später früher "
    "seulement plus moins solo sólo solamente más menos".split()
)
# "A fee, except for Gold customers" does not deny it to Silver ones. English, German, French, Spanish.
EXCEPTIONS = frozenset("except excluding unless außer ausgenommen sauf excepté salvo excepto".casefold().split())
# So many words after one of these are the exception, if no punctuation ends it before.
EXCEPTED_WORDS = 6
_START = (0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A claim beside the sentences it rests on, word by word.

    `equal` are the stretches that both have in the same order: where in the claim, where in the sentences, how many
    words. The last one is empty and stands at the end.
    """

    claim: Sequence[Word]
    said: Sequence[Word]
    equal: Sequence[tuple[int, int, int]]

    @property
    def openings(self) -> tuple[Sequence[Word], Sequence[Word]]:
        """What each says before the first words of content that they share."""
        for mine, theirs, size in self.equal:
            if any(word.is_content for word in self.claim[mine : mine + size]):
                return self.claim[:mine], self.said[:theirs]
        return self.claim, self.said

    @property
    def gaps(self) -> Iterator[tuple[range, range, bool]]:
        """Where each has something between equal stretches, and whether these tell for sure that it is one place."""
        for before, after in pairwise([_START, *self.equal]):
            mine, theirs = range(before[0] + before[2], after[0]), range(before[1] + before[2], after[1])
            if mine or theirs:
                yield mine, theirs, self._is_sure(before) and self._is_sure(after)

    def _is_sure(self, block: tuple[int, int, int]) -> bool:
        mine, theirs, size = block
        begins, ends = mine == theirs == 0, mine + size == len(self.claim) and theirs + size == len(self.said)
        return begins or ends or size == 0 or size >= SURE_WORDS


def contrast(claim: Sequence[Word], said: Sequence[Word]) -> Contrast:
    """Align the words of a claim with those of its evidence.

    Ratcliff and Metzener, Pattern Matching: The Gestalt Approach (1988), as difflib has it.
    """
    matcher = SequenceMatcher(None, [word.key for word in claim], [word.key for word in said], autojunk=False)
    return Contrast(claim=claim, said=said, equal=[(a, b, size) for a, b, size in matcher.get_matching_blocks()])


def otherwise(found: Contrast) -> Iterator[tuple[Sort, str, str]]:
    """The numbers and names that the claim has in place of others: which, what it says, what the evidence says."""
    held = {word.key for word in found.said}
    for gap, beside, sure in found.gaps:
        mine, theirs = ([text[at] for at in places] for text, places in ((found.claim, gap), (found.said, beside)))
        if _is_short(mine, theirs) or _is_short(theirs, mine) or _is_excepted(found.said, beside):
            continue
        others = _other(theirs, mine)
        for word in _other(mine, theirs):
            if word.sort in {other.sort for other in others} and (sure or word.key not in held):
                yield word.sort, _text(mine), _text(theirs)


def _is_excepted(said: Sequence[Word], place: range) -> bool:
    """Whether what stands there is an exception: Gold in "except for Gold"."""
    return any(word.text.casefold() in EXCEPTIONS for word in said[max(0, place.start - 2) : place.stop])


def _is_short(stretch: Sequence[Word], full: Sequence[Word]) -> bool:
    """Whether one is the other's initials: "the EU" and "the European Union"."""
    short, names = ([word.text for word in text if word.sort == "name"] for text in (stretch, full))
    return len(short) == 1 and len(names) > 1 and short[0].replace(".", "") == "".join(name[0] for name in names)


def denials(found: Contrast) -> tuple[bool, bool]:
    """Whether the claim and its evidence are the same but for a negation, and whether one of both denies more."""
    mine, theirs = _lone_negations(found)
    opposite = any(
        len(gap) + len(beside) <= SMALL_WORDS and (set(gap) & mine or set(beside) & theirs)
        for gap, beside, _ in found.gaps
        if not any(found.claim[at].is_content for at in gap) and not any(found.said[at].is_content for at in beside)
    )
    ours = {place for at, _, size in found.equal for place in range(at, at + size)}
    said = {word.key for at, word in enumerate(found.claim) if at not in ours}
    shared = {place for _, at, size in found.equal for place in range(at, at + size)}
    denied = [at for negation in theirs if (at := _denied(found.said, negation)) is not None]
    denies_it = any(at in shared or found.said[at].key in said for at in denied)
    return opposite, bool(mine) or denies_it or _denies_all(found.said, theirs, shared) or _excepts(found)


def _excepts(found: Contrast) -> bool:
    """Whether the evidence has a word of the claim only as an exception, and the claim speaks of none.

    "All pay the fee except Gold customers" does not say that Gold customers do.
    """
    if any(word.text.casefold() in EXCEPTIONS for word in found.claim):
        return False
    claimed, said = {word.key for word in found.claim if word.is_content}, found.said
    for at in (at for at, word in enumerate(said) if word.text.casefold() in EXCEPTIONS):
        ends = (end for end in range(at + 1, len(said)) if said[end].breaks)
        place = range(at + 1, min(next(ends, len(said)), at + 1 + EXCEPTED_WORDS))
        elsewhere = {word.key for other, word in enumerate(said) if other not in place}
        if any(said[one].key in claimed - elsewhere for one in place):
            return True
    return False


def _denies_all(said: Sequence[Word], negations: set[int], shared: set[int]) -> bool:
    """Whether a negation stands before all that is shared, with no punctuation between.

    "There is no evidence that mosquitoes spread it" does not say that they do.
    """
    first = min((at for at in shared if said[at].is_content), default=0)
    return any(at < first and not any(word.breaks for word in said[at + 1 : first + 1]) for at in negations)


def _lone_negations(found: Contrast) -> tuple[set[int], set[int]]:
    """Where each has a negation that the other has nowhere near the same words."""
    mine = {at for gap, _, _ in found.gaps for at in gap if _denies(found.claim, at, gap)}
    theirs = {at for _, gap, _ in found.gaps for at in gap if _denies(found.said, at, gap)}
    for at in sorted(mine):
        if same := [other for other in sorted(theirs) if _around(found.claim, at) & _around(found.said, other)]:
            mine.remove(at)
            theirs.remove(same[0])
    return mine, theirs


def _denies(text: Sequence[Word], at: int, gap: range) -> bool:
    """Whether it is a negation; "not only" and "no more than" are none where the other has neither word."""
    is_limit = at + 1 in gap and text[at + 1].text.casefold() in LIMITS
    return text[at].sort == "negation" and not is_limit


def _other(stretch: Sequence[Word], beside: Sequence[Word]) -> list[Word]:
    """The numbers and names of a stretch that the other lacks; none if it has other words of content too."""
    if any(word.stems and word.sort != "name" for word in stretch):
        return []
    held = {key for word in beside for key in (word.key, *word.date_parts)}
    return [word for word in stretch if word.sort in ("number", "name") and word.key not in held]


def _around(text: Sequence[Word], at: int) -> set[object]:
    near = text[max(0, at - REACH) : at + REACH + 1]
    return {word.key for word in near if word.is_content}


def _denied(text: Sequence[Word], at: int) -> int | None:
    """Where the word is that a negation denies: the next one of content, or the last where punctuation comes first."""
    for later in range(at + 1, len(text)):
        if text[later].breaks:
            break
        if text[later].is_content:
            return later
    return next((before for before in reversed(range(at)) if text[before].is_content), None)


def _text(stretch: Sequence[Word]) -> str:
    return " ".join(word.text for word in stretch)[:60]
