"""Claims against passages: what is supported, what is caught, what is quoted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.embed.lexical import Lexical
from rag.types import Chunk, Hit, Passage
from rag.verify import Checked, Thresholds, numbers, verify

TERMS = Lexical("english").terms
THRESHOLDS = Thresholds(supported_at=0.7, partly_at=0.5)
LEAVE = (
    "Full-time employees have 28 working days of paid annual leave per calendar year. "
    "Public holidays come on top and are not deducted. Ingrid Falk approves exceptions up to EUR 1,000."
)
RATES = "Country: Norway; Daily rate: EUR 62\nCountry: Sweden; Daily rate: EUR 58"


def passage(marker: int, text: str, title: str = "Annual leave", heading: str = "Entitlement") -> Passage:
    chunk = Chunk(
        id=f"00000000-0000-0000-0000-{marker:012}",
        uri=f"hr/{marker}.md",
        title=title,
        headings=(heading,),
        page=None,
        position=0,
        text=text,
        document_hash="0",
    )
    return Passage(marker=marker, text=text, hit=Hit(chunk=chunk, score=1.0, scores={}))


PASSAGES = (passage(1, LEAVE), passage(2, RATES, title="Travel", heading="Daily rates"))


def check(text: str, question: str = "How much leave do I get?") -> Checked:
    return verify(text, PASSAGES, question=question, terms=TERMS, thresholds=THRESHOLDS)


@pytest.mark.parametrize(
    "claim",
    [
        "Full-time employees have 28 working days of annual leave [1].",
        "28 working days.",
        "Public holidays are not deducted.",
        "The daily rate for Norway is EUR 62 [2].",
        "Exceptions up to EUR 1000 are approved by Ingrid Falk.",
    ],
)
def test_what_the_passages_say_is_supported(claim: str) -> None:
    verdict = check(claim).verdict
    assert verdict.supported, verdict
    assert verdict.supported_share == 1.0


@pytest.mark.parametrize(
    ("claim", "support", "reason"),
    [
        (
            "Full-time employees have 30 working days of annual leave [1].",
            "unsupported",
            "number not in the passage: 30",
        ),
        ("Public holidays are deducted.", "partly", "negation differs"),
        ("Exceptions up to EUR 1,000 are approved by Oskar Brandt.", "partly", "name not in the passage"),
        ("Employees may bring a dog to work.", "unsupported", "say little"),
        ('The policy says "every employee is entitled to a sabbatical".', "unsupported", "quote not in the passage"),
    ],
)
def test_what_the_passages_do_not_say_is_caught(claim: str, support: str, reason: str) -> None:
    (found,) = check(claim).verdict.claims
    assert found.support == support
    assert reason in found.reason


def test_a_missing_citation_is_assigned_and_a_wrong_one_repaired() -> None:
    for written in ("The daily rate for Sweden is EUR 58.", "The daily rate for Sweden is EUR 58 [1]."):
        checked = check(written, question="What is the daily rate in Sweden?")
        assert checked.text == "The daily rate for Sweden is EUR 58 [2]."
        (citation,) = checked.citations
        assert (citation.marker, citation.uri, citation.supported) == (2, "hr/2.md", True)
        assert citation.quote == "Country: Sweden; Daily rate: EUR 58"


def test_an_unsupported_claim_loses_its_citation() -> None:
    checked = check("Every employee gets 99 days [1].")
    assert checked.text == "Every employee gets 99 days."
    assert checked.citations == ()


def test_one_bad_claim_spoils_the_citation_it_shares() -> None:
    checked = check("You have 28 working days [1]. Public holidays are deducted [1].")
    (citation,) = checked.citations
    assert not citation.supported
    assert checked.verdict.supported_share == 0.5


def test_lines_of_a_list_stay_lines() -> None:
    checked = check("Rates:\n- Norway: EUR 62\n- Sweden: EUR 58", question="Daily rates?")
    assert checked.text.splitlines()[1:] == ["- Norway: EUR 62 [2].", "- Sweden: EUR 58 [2]."]


def test_an_answer_without_claims_is_not_supported() -> None:
    assert not check("[1]").verdict.supported
    assert check("").verdict.supported_share is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("EUR 1,000", {"1000"}), ("0,38 EUR", {"0.38"}), ("12.500 km", {"12500"}), ("3.80 at 09:00", {"3.8", "9:00"})],
)
def test_numbers_have_one_spelling(text: str, expected: set[str]) -> None:
    assert numbers(text) == expected


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_nothing_breaks_it_and_every_quote_stands_in_its_passage(answer: str, text: str) -> None:
    checked = verify(answer, [passage(1, text)], question=answer[:50], terms=TERMS, thresholds=THRESHOLDS)
    assert all(citation.quote in text for citation in checked.citations)
