"""Quotations in an answer: they stand in the passage word for word, or their claim is unsupported."""

from __future__ import annotations

import pytest
from test_verify import against

from rag.quotations import misquoted, quotable

RULE = 'The rule for a drifting buoy: don\'t tow the\nbuoy - call us "at once", whatever the weather.'


@pytest.mark.parametrize("marks", ["“{}”", "‘{}’", "'{}'", '"{}"', "„{}“", "«{}»"])
@pytest.mark.parametrize(
    ("quoted", "stands"),
    [
        ("don’t tow  the buoy – call us", True),
        ("don't tow the buoy - call", True),
        ("don't tow the boat - call us", False),
        ("don't tow the buoy - call u", False),
        ("tow the boat", False),
    ],
)
def test_a_quotation_stands_word_for_word_typography_aside(marks: str, quoted: str, stands: bool) -> None:
    claim = f"For a drifting buoy the rule is {marks.format(quoted)}."
    assert (misquoted(claim, quotable(RULE)) == []) == stands


def test_a_quotation_of_two_sentences_is_checked_in_both() -> None:
    text = quotable("Never tow the buoy. Call the depot at once.")
    assert misquoted('It says "Never tow the buoy.', text) == []
    assert misquoted('Call the depot at once."', text) == []
    assert misquoted('Call the harbour at once."', text) == ["call the harbour at once"]


@pytest.mark.parametrize(
    ("claim", "support"),
    [
        ('The "basic" plan costs more than the "plus" plan.', "supported"),
        ('The rule says "the basic plan costs more."', "supported"),
        ("The rule says „the plus plan costs more“.", "unsupported"),
        ("The rule says »the plus plan costs more«.", "unsupported"),
        ('The basic plan costs more than 19" of the plus plan.', "supported"),
    ],
)
def test_quotation_marks_are_paired(claim: str, support: str) -> None:
    rule = 'The rule says: the basic plan costs more than the plus plan, than 19" of it.'
    (found,) = against(claim, rule).verdict.claims
    assert found.support == support, found
