"""Claims against passages: what is supported, what is caught, what is quoted."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.embed.lexical import Lexical
from rag.spelling import numbers
from rag.types import Chunk, Hit, Passage
from rag.verify import Checked, Thresholds, verify

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
        revision="0",
    )
    return Passage(marker=marker, text=text, hit=Hit(chunk=chunk, score=1.0, scores={}))


PASSAGES = (passage(1, LEAVE), passage(2, RATES, title="Travel", heading="Daily rates"))


def check(text: str, question: str = "How much leave do I get?") -> Checked:
    return verify(text, PASSAGES, question=question, terms=TERMS, thresholds=THRESHOLDS)


def against(text: str, *passages: str, question: str = "What is the rule?") -> Checked:
    """An answer checked against passages that have nothing but their text."""
    numbered = [passage(marker, each, title="", heading="") for marker, each in enumerate(passages, 1)]
    return verify(text, numbered, question=question, terms=TERMS, thresholds=THRESHOLDS)


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
            "contradicted",
            "number not in the passage: 30",
        ),
        ("Public holidays are deducted.", "contradicted", "negation differs"),
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


def test_a_number_in_words_is_the_number() -> None:
    carried = (passage(1, "Up to five days may be carried into the next year."),)
    for claim, held in (("Up to 5 days may be carried over.", True), ("Up to 6 days may be carried over.", False)):
        checked = verify(claim, carried, question="How many days?", terms=TERMS, thresholds=THRESHOLDS)
        assert ("number" not in checked.verdict.claims[0].reason) == held


def test_a_number_of_another_row_does_not_carry_a_claim() -> None:
    rows = "Depot: Kellmouth; Spare pumps: 13\nDepot: Sundmark; Spare pumps: 1"
    for claim, support in (
        ("Kellmouth has 13 spare pumps.", "supported"),
        ("Kellmouth has 1 spare pump.", "unsupported"),
    ):
        (found,) = against(claim, rows, question="How many spare pumps are there?").verdict.claims
        assert found.support == support, found


def test_a_row_between_two_that_carry_a_claim_lends_it_no_number() -> None:
    rows = "Depot: Kellmouth; Spare pumps: 13\nDepot: Sundmark; Spare pumps: 1\nStaffed on Mondays."
    (found,) = against("Kellmouth has 1 spare pump on Mondays.", rows, question="Spare pumps?").verdict.claims
    assert found.reason == "number not in the passage: 1"


GLAZES = (
    "name: Old Rope; price: 19.50; finish: satin; food safe: yes\n"
    "name: Copper Penny; price: 23.90; finish: glossy; food safe: no"
)


@pytest.mark.parametrize(
    ("claim", "support"),
    [
        ("Copper Penny costs 23.90 and has a glossy finish.", "supported"),
        ("Copper Penny is not food safe.", "supported"),
        ("No, Copper Penny is not food safe.", "supported"),
        ("Copper Penny is food safe.", "contradicted"),
        ("Yes, Copper Penny is food safe.", "contradicted"),
    ],
)
def test_a_no_in_another_cell_denies_nothing(claim: str, support: str) -> None:
    (found,) = against(claim, GLAZES, question="Tell me about Copper Penny.").verdict.claims
    assert found.support == support, found


def test_a_leading_yes_is_no_word_to_be_found() -> None:
    checked = against(
        "Yes, Copper Penny is not food safe.", *GLAZES.splitlines(), question="Is Copper Penny food safe?"
    )
    assert [citation.marker for citation in checked.citations] == [2]


def test_numbers_of_two_sentences_that_both_carry_the_claim_are_held() -> None:
    text = "Full-time staff have 28 days. After ten years of service there are 3 more days. The car park opens at 6."
    claim = "Full-time staff have 28 days, and 3 more after 10 years of service."
    assert against(claim, text).verdict.supported
    (found,) = against(claim.replace("3 more", "6 more"), text).verdict.claims
    assert found.reason == "number not in the passage: 6"


def test_lines_of_a_list_stay_lines() -> None:
    checked = check("Rates:\n- Norway: EUR 62\n- Sweden: EUR 58", question="Daily rates?")
    assert checked.text.splitlines()[1:] == ["- Norway: EUR 62 [2]", "- Sweden: EUR 58 [2]"]


def test_list_numbers_bullets_and_gaps_stay_as_they_are() -> None:
    answer = (
        "## Leave\n\n1. Full-time employees have 28 working days of annual leave.\n"
        "   - Public holidays are not deducted.\n\n\n2. Ingrid Falk approves exceptions [2]!\n"
    )
    checked = check(answer)
    assert checked.verdict.supported, checked.verdict
    assert checked.text == (
        "## Leave\n\n1. Full-time employees have 28 working days of annual leave [1].\n"
        "   - Public holidays are not deducted [1].\n\n\n2. Ingrid Falk approves exceptions [1]!"
    )


def test_a_number_that_counts_no_items_is_a_number() -> None:
    (found,) = check("30. That is the number of working days of annual leave.").verdict.claims
    assert found.reason == "number not in the passage: 30"


def test_lead_ins_fences_and_table_frames_are_no_claims() -> None:
    answer = (
        "**The rates** are [2]:\n\n| Country | Rate |\n|:---|---:|\n| Norway | EUR 62 |\n| Sweden [1] | EUR 58|\n\n"
        "```yaml\nDaily rate: EUR 62\n```\n---\n"
    )
    checked = check(answer, question="Daily rates?")
    assert [claim.text for claim in checked.verdict.claims] == [
        "Norway | EUR 62",
        "Sweden | EUR 58",
        "Daily rate: EUR 62",
    ]
    assert checked.verdict.supported, checked.verdict
    assert checked.text == (
        "**The rates** are:\n\n| Country | Rate |\n|:---|---:|\n| Norway | EUR 62 [2] |\n| Sweden | EUR 58 [2]|\n\n"
        "```yaml\nDaily rate: EUR 62\n```\n---"
    )


@pytest.mark.parametrize(
    ("question", "text", "claim", "support", "reason"),
    [
        (
            "Do employees have 25 days of leave?",
            "Employees have 28 days of leave.",
            "Employees have 25 days of leave.",
            "contradicted",
            "number not in the passage: 25; it has 28 there",
        ),
        (
            "Do employees have 25 days of leave?",
            "Employees have plenty of days of leave.",
            "Employees have 25 days of leave.",
            "partly",
            "number only in the question: 25",
        ),
        (
            "Are dogs not allowed?",
            "Dogs are not allowed in the office.",
            "Dogs are allowed in the office.",
            "contradicted",
            "negation differs from the passage",
        ),
        (
            "Does Brandt approve leave?",
            "The manager will approve leave of employees.",
            "The manager or Brandt will approve leave of employees.",
            "partly",
            "name only in the question: Brandt",
        ),
    ],
)
def test_what_only_the_question_says_is_not_supported(
    question: str, text: str, claim: str, support: str, reason: str
) -> None:
    (found,) = against(claim, text, question=question).verdict.claims
    assert (found.support, found.reason) == (support, reason)


SPLIT = (
    "The standard leave of employees is 28 days a year.",
    "Lunch is served at noon in the canteen.",
    "The parental leave is 16 weeks.",
)
BOTH = "The standard leave is 28 days and parental leave is 16 weeks"


@pytest.mark.parametrize("markers", ["", " [1][3]", " [1, 3]", " [1] [3]", " [3,1]", " [1]", " [1][2][3]"])
def test_passages_may_carry_a_claim_together(markers: str) -> None:
    checked = against(f"{BOTH}{markers}.", *SPLIT)
    (claim,) = checked.verdict.claims
    assert (claim.support, claim.markers) == ("supported", (1, 3))
    assert checked.text == f"{BOTH} [1][3]."
    assert [(citation.marker, citation.quote) for citation in checked.citations] == [(1, SPLIT[0]), (3, SPLIT[2])]


def test_passages_together_do_not_excuse_a_wrong_number() -> None:
    (claim,) = against(f"{BOTH.replace('16', '18')} [1][3].", *SPLIT).verdict.claims
    assert claim.support == "unsupported"


def test_single_words_of_many_passages_carry_nothing() -> None:
    texts = ("Employees eat lunch.", "A hot dog is sold on Friday.", "Bring your own cup.", "We all like to work.")
    (claim,) = against("Employees may bring a dog to work.", *texts).verdict.claims
    assert claim.support == "unsupported"


def test_every_cited_passage_that_supports_the_claim_stays() -> None:
    assert against("Lunch is at noon [1, 2].", "Lunch is at noon.", "We have lunch at noon.").text == (
        "Lunch is at noon [1][2]."
    )


@pytest.mark.parametrize("markers", ["[1, 2]", "[1,2]", "[2; 1]", "[1] [2]"])
def test_a_group_of_markers_belongs_to_the_sentence_before(markers: str) -> None:
    checked = check(f"Public holidays are not deducted. {markers} The daily rate for Norway is EUR 62.")
    assert checked.text == "Public holidays are not deducted [1]. The daily rate for Norway is EUR 62 [2]."


@pytest.mark.parametrize("text", ["Read items[0] first", "The code `items[1]` is read", "Read [1](http://a.test) too"])
def test_brackets_that_cite_no_passage_are_text(text: str) -> None:
    assert against(f"{text}.", "The code is items[0], items[1]. Read it first. Read 1 http://a.test too.").text == (
        f"{text} [1]."
    )


def test_a_passage_that_was_not_given_is_told() -> None:
    checked = check("Public holidays are not deducted, see note [7].")
    (claim,) = checked.verdict.claims
    assert (claim.support, claim.reason) == ("partly", "cites a passage that was not given: 7")
    assert "see note [7]" in checked.text


def test_a_possessive_is_its_name() -> None:
    rule = "The office of Petrel opens at noon."
    assert against("At noon, Petrel's office opens.", rule).verdict.supported
    assert against("At noon, Petrels’ office opens.", rule.replace("Petrel", "Petrels")).verdict.supported


@pytest.mark.parametrize("written", ["1 March 2026", "01.03.2026", "March 1st, 2026", "1. März 2026", "2026-03-01"])
def test_a_date_is_found_in_any_spelling(written: str) -> None:
    assert against("The rule starts on 2026-03-01.", f"The rule starts on {written}.").verdict.supported
    assert against(f"The rule starts on {written}.", "The rule starts on 2026-03-01.").verdict.claims[0].reason == ""
    (found,) = against("The rule starts on 2026-03-02.", f"The rule starts on {written}.").verdict.claims
    assert found.support == "contradicted"


@pytest.mark.parametrize(
    ("text", "claim", "reason"),
    [
        ("The pier was built in 1990 by Falk.", "The pier was built in 1991 by Falk.", "it has 1990 there"),
        ("The pier has two cranes in the north.", "The pier has three cranes in the north.", "it has two there"),
        ("Ingrid Falk runs the northern depot.", "Oskar Brandt runs the northern depot.", "it has Ingrid Falk there"),
        ("The depot opens in March each year.", "The depot opens in April each year.", "it has March there"),
        ("The depot cannot take returns.", "The depot can take returns.", "negation differs"),
        ("Returns are taken without a receipt.", "Returns are taken with a receipt.", "negation differs"),
        ("The depot takes returns.", "The depot does not take returns.", "negation differs"),
    ],
)
def test_another_number_name_or_a_denial_in_the_same_place_contradicts(text: str, claim: str, reason: str) -> None:
    known = (
        "We all met Ingrid Falk and Oskar Brandt in the old town. They met every day, first in April and then in March."
    )
    (found,) = against(f"{claim[:-1]} [2].", known, text).verdict.claims
    assert (found.support, found.markers) == ("contradicted", (2,)), found
    assert reason in found.reason


@pytest.mark.parametrize("opening", ["There are no data to suggest that", "It is not known whether"])
def test_what_is_not_known_is_not_said(opening: str) -> None:
    text = f"{opening} mosquitoes or ticks spread the virus. The virus spreads from person to person."
    (found,) = against("Yes, mosquitoes spread the virus [1].", text).verdict.claims
    assert (found.support, found.reason) == ("partly", "negation differs from the passage")


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("Norway beat Sweden in 2012.", "In 2012, Sweden was beaten by Norway."),
        ("The pier, which is not a harbour, was built in 1990.", "The pier was built in 1990."),
        ("Take no more than five days of leave.", "Take up to five days of leave."),
        ("He leads the depot in Kellmouth.", "The head leads the depot in Kellmouth."),
        ("The depot not only sells buoys but also mends them.", "The depot sells buoys and also mends them."),
    ],
)
def test_other_words_for_the_same_do_not_contradict(text: str, claim: str) -> None:
    (found,) = against(claim, f"Sweden and Norway are here. {text}").verdict.claims
    assert found.support == "supported", found


def test_a_noun_in_german_is_no_name_to_contradict() -> None:
    text = "Alle Angestellten haben 28 Tage Urlaub im Jahr. Die Leitung der Abteilung prüft jeden Antrag auf Urlaub."
    numbered = [passage(1, text, title="", heading="")]
    terms = Lexical("german").terms
    for claim, support in (("Alle Angestellten haben 28 Tage Ferien im Jahr.", "partly"), (text[:47], "supported")):
        checked = verify(claim, numbered, question="Wie viel?", terms=terms, thresholds=THRESHOLDS)
        assert checked.verdict.claims[0].support == support, checked


def test_a_subject_with_the_predicate_of_another_is_partly_supported() -> None:
    kellmouth, sundmark = "The depot is north of the river.", "The harbour office is open on every day of the week."
    (found,) = against("The depot is open on every day of the week [1, 2].", kellmouth, sundmark).verdict.claims
    assert found.support == "partly"
    assert found.reason == "the passage says this of 'harbour office', not of 'depot'"


def test_what_a_claim_adds_is_told() -> None:
    text = "Full-time employees have 28 working days of paid annual leave in each calendar year of service."
    (found,) = against(f"{text[:-1]} and free parking tickets.", text).verdict.claims
    assert (found.support, found.reason) == ("partly", "not in the passage: free parking tickets")


def test_the_citations_of_the_model_are_kept_beside_the_repaired_ones() -> None:
    wrong, right, none = check(
        "The daily rate for Sweden is EUR 58 [1]. Public holidays are not deducted [1]. "
        "The daily rate for Norway is EUR 62."
    ).verdict.claims
    assert (wrong.cited, wrong.markers, wrong.repaired) == ((1,), (2,), True)
    assert (right.cited, right.markers, right.repaired) == ((1,), (1,), False)
    assert (none.cited, none.markers, none.repaired) == ((), (2,), False)


def test_an_answer_without_claims_is_not_supported() -> None:
    assert not check("[1]").verdict.supported
    assert check("").verdict.supported_share is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EUR 1,000", {"1000"}),
        ("0,38 EUR", {"0.38"}),
        ("12.500 km", {"12500"}),
        ("3.80 at 09:00", {"3.8", "9:00"}),
        ("0.125 and 0,125", {"0.125"}),
        ("1.234,50 EUR", {"1234.5"}),
    ],
)
def test_numbers_have_one_spelling(text: str, expected: set[str]) -> None:
    assert numbers(text) == expected


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_nothing_breaks_it_and_every_quote_stands_in_its_passage(answer: str, text: str) -> None:
    checked = verify(answer, [passage(1, text)], question=answer[:50], terms=TERMS, thresholds=THRESHOLDS)
    assert all(citation.quote in text for citation in checked.citations)


PIECES = [
    "- ",
    "1. ",
    "| ",
    "|",
    "|---|",
    "```",
    "`",
    "[1]",
    "[1, 2]",
    "[9]",
    ":",
    ". ",
    "\n",
    "  ",
    "a day",
    "28",
    "# ",
]
MARKDOWN = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(MARKDOWN, st.text(max_size=200)))
def test_nothing_but_markers_changes(answer: str) -> None:
    def bare(text: str) -> str:
        return re.sub(r"\[[12](, [12])?\]", "", re.sub(r"\s", "", text).replace(",2", ", 2"))

    assert bare(check(answer).text) == bare(answer)
