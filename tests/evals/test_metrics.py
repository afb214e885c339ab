"""Metrics: what each is over, and by hand-worked values."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import metrics
from evals.metrics import percentile, score_records, summarize, wilson
from evals.ranking import is_source, rank_scores
from evals.records import Given, Record, Retrieved
from evals.saying import says
from rag.case import Case
from rag.types import Citation, Claim, Usage, Verdict


def hit(uri: str, *, marker: int | None = None, shown: str | None = None) -> Retrieved:
    return Retrieved(
        marker=marker,
        shown=shown,
        uri=uri,
        title="",
        page=None,
        headings=(),
        text=shown or "",
        score=1.0,
        scores={},
        chunk_id="c",
        revision="d",
    )


def case(**changes: object) -> Case:
    values = {"id": "a", "question": "?", "facts": (("28",),), "sources": ("hr/leave.md",), **changes}
    return Case(**values)  # type: ignore[arg-type]


def record(text: str = "28 days.", *, hits: Sequence[Retrieved] = (), **changes: object) -> Record:
    claims = (Claim(text=text, markers=(1,), support="supported", score=1.0, reason=""),)
    values = {
        "text": text,
        "abstained": False,
        "citations": (),
        "verdict": Verdict(claims=claims),
        "usage": Usage(prompt=100, completion=10),
        "models": {},
        "trace_id": "t",
        "timings_ms": {"total": 2000.0, "first_token": 500.0},
        **changes,
    }
    return Record(case_id="a", answer=Given(**values), hits=tuple(hits))  # type: ignore[arg-type]


def cited(uri: str, quote: str) -> Citation:
    return Citation(marker=1, uri=uri, page=None, headings=(), quote=quote, supported=True)


@pytest.mark.parametrize(
    ("text", "wording"),
    [
        ("You have 28 days.", "28"),
        ("It is 28.", "28"),
        ("**28** days", "28 days"),
        ("EUR\u00a090.00 in all", "eur 90"),
        ("690.00.", "690"),
        ("on 21.08.2026 in Kellmouth", "21.08"),
        ("within 30 minutes", "30 min"),
        ("a 14-character one", "14"),
        ("the middle is EUR 54\u202f200", "54 200"),
        ("Samir Haddouche’s deputy", "samir haddouche's"),
        ("two\nweeks [1] of notice", "two weeks of notice"),
        ("costs €90", "€90"),
        ("version 4.3.1 [2].", "4.3.1"),
        ("(16:30)", "16:30"),
    ],
)
def test_a_fact_is_said(text: str, wording: str) -> None:
    assert says(text, wording)


@pytest.mark.parametrize(
    ("text", "wording"),
    [
        ("EUR 280", "28"),
        ("in 1928", "28"),
        ("28.5 days", "28"),
        ("1,028 days", "28"),
        ("28,000", "28"),
        ("28.000", "28"),
        ("28:15", "28"),
        ("14:30", "4:30"),
        ("it is so [28].", "28"),
        ("16 days", "6 days"),
        ("often", "ten"),
        ("twenty-five days", "five"),
        ("version 4.3.12", "4.3.1"),
        ("EUR 45,000", "45"),
        ("", "28"),
        ("28", "*"),
    ],
)
def test_another_number_is_not_the_fact(text: str, wording: str) -> None:
    assert not says(text, wording)


def test_sources_are_matched_by_path() -> None:
    assert is_source("hr/leave.md", "hr/leave.md")
    assert is_source("/home/me/handbook/hr/leave.md", "hr/leave.md")
    assert not is_source("hr/parental-leave.md", "leave.md")
    assert not is_source("archive/leave.md.txt", "leave.md")


def test_recall_counts_documents_among_the_first_hits() -> None:
    hits = [hit("x/a.md"), hit("x/a.md"), hit("c.md"), hit("b.md")]
    both = case(sources=("a.md", "b.md"), tags=("multi",))
    uris = [hit.uri for hit in hits]
    assert [rank_scores(both, uris)[f"recall_at_{depth}"] for depth in (1, 3, 5)] == [0.5, 0.5, 1.0]
    assert rank_scores(both, uris)["ndcg_at_10"] == pytest.approx((1 + 1 / np.log2(5)) / (1 + 1 / np.log2(3)))
    assert rank_scores(case(sources=("z.md", "b.md"), tags=("any",)), uris)["recall_at_5"] == 1.0
    assert rank_scores(case(sources=("c.md",)), uris)["mrr"] == pytest.approx(1 / 3)
    assert rank_scores(case(sources=("z.md",)), uris)["mrr"] == 0
    assert rank_scores(case(sources=("z.md",)), [])["ndcg_at_10"] == 0
    assert rank_scores(case(sources=()), uris) == {}


def test_wilson_as_published() -> None:
    assert wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(1.0, 20)[1] == 1.0


@given(count=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_holds_its_share(count: int, share: float) -> None:
    low, high = wilson(share, count)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


@given(values=st.lists(st.floats(0, 1e6), min_size=1, max_size=30), share=st.floats(0, 1))
def test_percentile_is_numpy_s(values: list[float], share: float) -> None:
    assert percentile(values, share) == pytest.approx(float(np.quantile(values, share)), abs=1e-6)


def test_a_metric_over_no_cases_is_none() -> None:
    overall = summarize((), ()).overall
    assert {(figure.cases, figure.value, figure.low) for figure in overall.values()} == {(0, None, None)}
    unanswerable = case(facts=(), sources=(), answerable=False)
    scored = score_records([unanswerable], [record()])[0].scores
    assert scored["correct"] is None
    assert scored["recall_at_5"] is None
    assert scored["declined_unanswerable"] == 0.0


def test_an_answer_is_right_when_it_says_every_fact_and_does_not_decline() -> None:
    two = case(facts=(("28", "twenty-eight"), ("March",)))
    texts = ["Twenty-eight days until March.", "28 days."]
    assert [score_records([two], [record(text)])[0].scores["correct"] for text in texts] == [1.0, 0.0]
    declined = record("The documents don't hold the answer. Closest: 28 March.", abstained=True)
    scores = score_records([two], [declined])[0].scores
    assert (scores["correct"], scores["declined_answerable"], scores["supported"]) == (0.0, 1.0, None)


def test_citations_are_checked_again() -> None:
    hits = [hit("x/hr/leave.md", marker=1, shown="All have “28 working\ndays” a year.")]
    good = record(hits=hits, citations=(cited("x/hr/leave.md", '"28 working days"'),))
    wrong = record(hits=hits, citations=(cited("archive/old.md", "26 working days"),))
    assert [s["quotes_verbatim"] for s in (r.scores for r in score_records([case()], [good, wrong]))] == [1.0, 0.0]
    assert [s["citation_precision"] for s in (r.scores for r in score_records([case()], [good, wrong]))] == [1.0, 0.0]


def test_a_failure_is_wrong_where_it_can_be_judged_and_left_out_where_it_can_not() -> None:
    failed = Record(case_id="a", answer=None, error="down", error_kind="ModelError")
    overall = summarize([case()], [failed]).overall
    assert (overall["correct"].value, overall["correct"].cases) == (0.0, 1)
    assert overall["failed"].value == 1.0
    for name in ("recall_at_5", "declined_answerable", "supported", "total_ms_p95", "prompt_tokens"):
        assert (overall[name].value, overall[name].cases) == (None, 0), name
    unanswerable = case(facts=(), sources=(), answerable=False)
    assert summarize([unanswerable], [failed]).overall["declined_unanswerable"].value == 0.0


def test_times_and_tokens() -> None:
    overall = summarize([case()], [record(), record(timings_ms={"total": 4000.0})]).overall
    assert overall["total_ms_p50"].value == 3000.0
    assert (overall["first_token_ms_max"].value, overall["first_token_ms_max"].cases) == (500.0, 1)
    assert overall["prompt_tokens"].value == 100.0
    assert overall["total_ms_p50"].low is None


def test_splits_and_tags_have_their_own_figures() -> None:
    other = Case(id="b", question="?", facts=(("9",),), tags=("pdf",), split="dev")
    records = [record(), Record(case_id="b", answer=record().answer)]
    summary = summarize([case(), other], records)
    assert {split: figures["correct"].value for split, figures in summary.by_split.items()} == {"test": 1.0, "dev": 0.0}
    assert summary.by_tag["pdf"]["correct"].cases == 1
    assert summary.overall["correct"].value == 0.5


def test_an_expected_answer_is_held_against_what_was_said() -> None:
    wanted = case(facts=(("28",), ("March",)), expected="28 working days", evidence=("28 working days", "by March"))
    hits = [hit("x/hr/leave.md", shown="All have 28\nworking days a year.")]
    scores = score_records([wanted], [record("28 days [1].", hits=hits)])[0].scores
    assert (scores["facts_said"], scores["evidence_found"], scores["exact"]) == (0.5, 0.5, 0.0)
    assert scores["f1"] == pytest.approx(0.8)
    assert score_records([wanted], [record("28 working days")])[0].scores["exact"] == 1.0
    declined = score_records([wanted], [record("Closest: 28 working days", abstained=True)])[0].scores
    assert (declined["f1"], declined["facts_said"], declined["citation_recall"]) == (0.0, 0.0, None)


def test_sources_that_are_cited() -> None:
    both = case(sources=("hr/leave.md", "b.md"))
    one = record(citations=(cited("x/hr/leave.md", "28"), cited("x/hr/leave.md", "28"), cited("c.md", "28")))
    scores = score_records([both], [one])[0].scores
    assert (scores["citation_precision"], scores["citation_recall"]) == (pytest.approx(2 / 3), 0.5)
    either = case(sources=("hr/leave.md", "b.md"), tags=("any",))
    assert score_records([either], [one])[0].scores["citation_recall"] == 1.0


def test_a_case_counts_once_however_often_it_was_asked_and_by_its_weight() -> None:
    other = Case(id="b", question="?", facts=(("9",),), weight=3.0)
    records = [record(), record("No."), record("No."), record("No."), Record(case_id="b", answer=record("9.").answer)]
    right = summarize([case(), other], records).overall["correct"]
    assert (right.cases, right.value) == (2, pytest.approx((0.25 + 3) / 4))
    assert right.low == pytest.approx(wilson((0.25 + 3) / 4, 16 / 10)[0])


def test_a_case_nobody_has_said_anything_right_of_counts_in_nothing_it_could_be_wrong_in() -> None:
    unknown = case(facts=(), sources=(), confirmed=False)
    (scored,) = score_records([unknown], [record(abstained=True)])
    for name in ("correct", "declined_answerable", "declined_unanswerable", "recall_at_5"):
        assert scored.scores[name] is None


def test_thousands_of_cases_are_scored_in_a_moment() -> None:
    many = [case(id=f"q{number}", tags=("table", f"page {number % 20}")) for number in range(3000)]
    hits = [hit(f"{number}/hr/leave.md", marker=number, shown="All have 28 days a year.") for number in range(1, 6)]
    records = [replace(record(hits=hits), case_id=one.id) for one in many]
    begun = time.process_time()
    overall = summarize(many, records).overall
    assert time.process_time() - begun < 3  # 0.8 s on an idle machine, 25 s where each case looks at all others
    assert (overall["correct"].cases, overall["correct"].value) == (3000, 1.0)


def test_a_record_is_looked_at_once_for_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def observe(case: Case, record: Record) -> float:
        seen.append(case.id)
        return 1.0

    counted = metrics.Metric(name="counted", label="counted", group="answers", unit="share", observe=observe)
    monkeypatch.setattr(metrics, "METRICS", (counted,))
    summary = summarize([case(tags=("hr", "table"))], [record()])
    assert (summary.overall["counted"].cases, summary.by_tag["table"]["counted"].cases, seen) == (1, 1, ["a"])
