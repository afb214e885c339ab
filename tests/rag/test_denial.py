"""A claim that denies what its evidence affirms is told; one that only denies it in other words is not."""

from __future__ import annotations

import pytest

from rag.contrast import contrast
from rag.denial import denials
from rag.embed.lexical import Lexical
from rag.wording import words

TERMS = Lexical("english").terms


@pytest.mark.parametrize(
    ("claim", "said", "expected"),
    [
        ("The buoys are distinguishable.", "The buoys are indistinguishable.", True),
        ("The rule was not important here.", "The rule was important here.", True),
        ("The office is open to non-members.", "The office is open to members.", True),
        ("The Central non-Secretariat stood here.", "The Central Secretariat stood here.", True),
        ("The rule was not important to the depot.", "The rule was unimportant to the depot.", False),
        ("They import buoys.", "The port has buoys.", False),
        ("The buoys are indistinguishable.", "The buoys are indistinguishable.", False),
    ],
)
def test_a_prefix_denies(claim: str, said: str, expected: bool) -> None:
    opposite, _ = denials(contrast(words(claim, TERMS), words(said, TERMS)))
    assert opposite == expected
