"""Names that differ and yet don't contradict: in other letters, as initials, as an exception."""

from __future__ import annotations

import pytest

from rag.embed.lexical import Lexical
from rag.types import Chunk, Hit, Passage, Support
from rag.verify import Thresholds, verify


def support(claim: str, text: str) -> Support:
    chunk = Chunk(id="1", uri="a.md", title="", headings=(), page=None, position=0, text=text, revision="0")
    passages = [Passage(marker=1, text=text, hit=Hit(chunk=chunk, score=1.0, scores={}))]
    thresholds = Thresholds(supported_at=0.7, partly_at=0.5)
    checked = verify(claim, passages, question="What is it?", terms=Lexical("english").terms, thresholds=thresholds)
    (found,) = checked.verdict.claims
    return found.support


def test_a_name_is_known_without_the_marks_of_its_letters() -> None:
    text = "The prince, Bolesław of Płock, founded the town."
    assert support("Boleslaw of Plock founded the town.", text) == "supported"
    assert support("Casimir of Plock founded the town.", text) != "supported"


@pytest.mark.parametrize("names", [("EU", "European Union"), ("European Union", "EU")])
def test_initials_do_not_contradict_the_name(names: tuple[str, str]) -> None:
    claim, text = (f"The Commission is the main executive body of the {name}." for name in names)
    assert support(claim, text) in ("supported", "partly")
    assert support(claim, "The Commission is the main executive body of the United Nations.") == "contradicted"


def test_an_exception_does_not_contradict_who_is_none() -> None:
    claim = "We charge a flat fee of EUR 140 for Silver customers."
    assert (
        support(claim, "If no fault is found, we charge a flat fee of EUR 140, except for Gold customers.") == "partly"
    )
    assert support(claim, "If no fault is found, we charge a flat fee of EUR 140 for Gold customers.") == "contradicted"


@pytest.mark.parametrize(
    ("passage", "claim", "level"),
    [
        ("All customers pay the fee except Gold customers.", "Gold customers pay the fee.", "partly"),
        (
            "All customers pay the fee except Gold customers.",
            "All customers except Gold customers pay the fee.",
            "supported",
        ),
        ("All customers pay the fee except Gold customers.", "All customers pay the fee.", "supported"),
        ("Visitors need a badge unless an employee is with them.", "Visitors need a badge with an employee.", "partly"),
        ("Alle Kunden zahlen die Gebühr außer Goldkunden.", "Goldkunden zahlen die Gebühr.", "partly"),
    ],
)
def test_an_exception_is_not_what_is_said_of_all(passage: str, claim: str, level: str) -> None:
    assert support(claim, passage) == level
