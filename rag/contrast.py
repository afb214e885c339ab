"""Where a claim says another number, name or date than its evidence in the same place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from rag.wording import Sort, Word

# A word that the evidence has elsewhere is another one here only between so many equal words on each side: else
# "Norway beat Sweden" would contradict "Sweden was beaten by Norway".
SURE_WORDS = 2
# "A fee, except for Gold customers" does not deny it to Silver ones. English, German, French, Spanish.
EXCEPTIONS = frozenset("except excluding unless außer ausgenommen sauf excepté salvo excepto".casefold().split())
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


def _other(stretch: Sequence[Word], beside: Sequence[Word]) -> list[Word]:
    """The numbers and names of a stretch that the other lacks; none if it has other words of content too."""
    if any(word.stems and word.sort != "name" for word in stretch):
        return []
    held = {key for word in beside for key in (word.key, *word.date_parts)}
    return [word for word in stretch if word.sort in ("number", "name") and word.key not in held]


def _text(stretch: Sequence[Word]) -> str:
    return " ".join(word.text for word in stretch)[:60]
