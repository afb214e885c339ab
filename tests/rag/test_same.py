"""Two questions are the same only if nothing that could matter differs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rag.embed.local import LocalEmbedder
from rag.embed.protocol import Matrix
from rag.same import same_question

ASKED = "How many days of annual leave does a full-time employee have?"


@pytest.fixture(scope="module")
def embedder() -> LocalEmbedder:
    return LocalEmbedder("all-minilm-l6-v2", folder=None)


@pytest.mark.parametrize(
    "other",
    [
        ASKED,
        "how many days of annual leave does a full-time employee have",
        "  How many days of ANNUAL leave does a full-time employee have ?!",
        ASKED.upper(),
        f"{'please ' * 1500}{ASKED}{'?' * 1500}",
        "How many days of “annual leave” does a full-time employee have？",
        "Hello, could you tell me please how many days of annual leave does a full-time employee have, thanks",
        "How many days of annual leave does a full-time employees have?",
    ],
)
def test_the_same_in_other_dress_is_the_same(embedder: LocalEmbedder, other: str) -> None:
    assert same_question(ASKED, other, embed=embedder.embed)
    assert same_question(other, ASKED, embed=embedder.embed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Who may travel first class?", "Who may not travel first class?"),
        ("What is paid above 30 km?", "What is paid above 50 km?"),
        ("What is the limit in Paris?", "What is the limit in Berlin?"),
        ("Who leads the team?", "Who led the team?"),
        ("What applies before March?", "What applies after March?"),
        ("Does Anna report to Bob?", "Does Bob report to Anna?"),
        ("Is it 5 %?", "Is it 5 ‰?"),
        ("Is it -5 degrees?", "Is it 5 degrees?"),
        (ASKED, ASKED.replace("leave", "leaves")),
        ("What does FIS stand for?", "What does FISS stand for?"),
        ("What about customs?", "What about custom?"),
        ("Who is the president?", "Who was the president?"),
        ("Who can enter?", "Who must enter?"),
        ("What is in the box?", "What is on the box?"),
        ("Is leave paid?", "Is leave unpaid?"),
        ("", ""),
        ("?", "!"),
        ("请假多少天", "出差多少天"),
        ("version 1.2", "version 1.3"),
        ("a/b", "a-b"),
        ("Does IT have a policy?", "Does it have a policy?"),
        ("What applies to us?", "what applies to US"),
        ("Is 10² enough?", "Is 102 enough?"),
        ("Is a 6' ladder allowed?", 'Is a 6" ladder allowed?'),
        ("Can we fire, John?", "Can we fire John?"),
        ("What is a_b?", "What is a b?"),
    ],
)
def test_one_word_makes_another_question(embedder: LocalEmbedder, one: str, other: str) -> None:
    assert not same_question(one, other, embed=embedder.embed)
    assert not same_question(other, one, embed=embedder.embed)


def test_what_is_said_to_be_polite_alone_is_a_question() -> None:
    def never(texts: Sequence[str]) -> Matrix:
        raise AssertionError(texts)

    assert same_question("hello", "Hello!", embed=never)
    assert not same_question("hello", "thanks", embed=never)


def test_a_plural_needs_the_embedder() -> None:
    def apart(texts: Sequence[str]) -> Matrix:
        return np.eye(len(texts), dtype=np.float32)

    assert not same_question("which invoice", "which invoices", embed=apart)
