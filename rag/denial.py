"""Where a claim denies what its evidence affirms, or the other way round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from rag.contrast import EXCEPTIONS, Contrast
from rag.wording import Word

# How far from a negation the words stand that it may deny.
REACH = 3
# "Did not open" beside "had opened", but not "no more than five" beside "up to five".
SMALL_WORDS = 3
# English, German, French, Spanish.
LIMITS = frozenset(
    "only just more less fewer later earlier nur bloß lediglich mehr weniger später früher "
    "seulement plus moins solo sólo solamente más menos".split()
)
# Before a word they deny it: "indistinguishable". English, German, French, Spanish.
PREFIXES = frozenset(("un", "in", "im", "ir", "il", "dis", "des", "dés", "non"))
# A shorter rest is another word as a rule: "import" denies no port.
PREFIXED_LETTERS = 5
# So many words after an exception's first are the exception, if no punctuation ends it before.
EXCEPTED_WORDS = 6


def denials(found: Contrast) -> tuple[bool, bool]:
    """Whether the claim and its evidence are the same but for a negation, and whether one of both denies more."""
    turned = set(_turned(found))
    mine, theirs = _lone_negations(found, turned)
    opposite = any(
        len(gap) + len(beside) <= SMALL_WORDS
        and (set(gap) & mine or set(beside) & theirs)
        and _content(found.claim, gap) <= {at for at, _ in turned}
        and _content(found.said, beside) <= {at for _, at in turned}
        for gap, beside, _ in found.gaps
    )
    ours = {place for at, _, size in found.equal for place in range(at, at + size)}
    said = {word.key for at, word in enumerate(found.claim) if at not in ours}
    shared = {place for _, at, size in found.equal for place in range(at, at + size)}
    denied = [at for negation in theirs if (at := _denied(found.said, negation)) is not None]
    denies_it = any(at in shared or found.said[at].key in said for at in denied)
    return opposite, bool(mine) or denies_it or _denies_all(found.said, theirs, shared) or _excepts(found)


def _content(text: Sequence[Word], place: range) -> set[int]:
    return {at for at in place if text[at].is_content}


def _turned(found: Contrast) -> Iterator[tuple[int, int]]:
    """Where one has a word and the other the same with a prefix that denies it: "indistinguishable"."""
    for gap, beside, _ in found.gaps:
        for mine, theirs in product(gap, beside):
            short, long = sorted((found.claim[mine].text.casefold(), found.said[theirs].text.casefold()), key=len)
            if len(short) >= PREFIXED_LETTERS and long.endswith(short) and long.removesuffix(short) in PREFIXES:
                yield mine, theirs


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


def _lone_negations(found: Contrast, turned: Iterable[tuple[int, int]]) -> tuple[set[int], set[int]]:
    """Where each has a negation that the other has nowhere near the same words."""
    mine = {at for gap, _, _ in found.gaps for at in gap if _denies(found.claim, at, gap)}
    theirs = {at for _, gap, _ in found.gaps for at in gap if _denies(found.said, at, gap)}
    for at, other in turned:
        # The longer of both has the prefix.
        has_it = len(found.claim[at].text) > len(found.said[other].text)
        (mine if has_it else theirs).add(at if has_it else other)
    for at in sorted(mine):
        if same := [other for other in sorted(theirs) if _around(found.claim, at) & _around(found.said, other)]:
            mine.remove(at)
            theirs.remove(same[0])
    return mine, theirs


def _denies(text: Sequence[Word], at: int, gap: range) -> bool:
    """Whether it is a negation; "not only" and "no more than" are none where the other has neither word."""
    is_limit = at + 1 in gap and text[at + 1].text.casefold() in LIMITS
    return text[at].sort == "negation" and not is_limit


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
