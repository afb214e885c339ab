"""Two runs held against each other: what is compared, what is said of the rest, and where they differ."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_runs import RIGHT, WRONG, case, cases, made

from evals.compare import Compared, Comparison, compare
from evals.markdown import comparison_page, plain
from evals.records import Run
from rag.errors import InputError

FORTY = cases(40)
BASE = made("base", FORTY)


def metric(found: Comparison, name: str) -> Compared:
    return next(one for one in found.metrics if one.metric == name)


def test_a_loss_is_told_with_its_interval_its_test_and_both_answers() -> None:
    found = compare(BASE, made("worse", FORTY, {f"q{place}": WRONG for place in range(8)}))
    correct = metric(found, "correct")
    assert (correct.first, correct.second, correct.difference) == (1.0, 0.8, pytest.approx(-0.2))
    assert (correct.better, correct.worse, correct.cases) == (0, 8, 40)
    assert correct.low < -0.2 < correct.high < 0
    assert (correct.test, correct.p) == ("McNemar", 2 / 2**8)
    # What facts are said changed with it, the others did not: two are corrected for.
    assert correct.p_holm == 2 * correct.p
    assert [(flip.case_id, flip.lost, flip.first, flip.second) for flip in found.flips][:2] == [
        ("q0", ("correct", "facts_said"), RIGHT, WRONG),
        ("q1", ("correct", "facts_said"), RIGHT, WRONG),
    ]
    assert len(found.flips) == 8
    assert found.flips[0].expected == ("yes",)


def test_what_should_be_low_is_worse_when_it_rises() -> None:
    declined = metric(compare(BASE, made("shy", FORTY, {"q0": "", "q1": ""})), "declined_answerable")
    assert (declined.difference, declined.gain, declined.better, declined.worse) == (0.05, -0.05, 0, 2)


def test_a_metric_that_does_not_apply_is_never_zero() -> None:
    found = compare(BASE, made("down", FORTY, {"q0": None, "q1": None}))
    # A question that failed is wrong, and no support of its answer is known.
    assert (metric(found, "correct").cases, metric(found, "correct").second) == (40, 0.95)
    assert metric(found, "supported").cases == 38
    assert metric(found, "failed").worse == 2
    assert any("2 of 40 questions failed in the second run" in note for note in found.notes)


def test_repetitions_are_averaged_before_cases_are_compared() -> None:
    first = made("first", FORTY, {"q0": (RIGHT, RIGHT, WRONG), "q1": (RIGHT,) * 3})
    second = made("second", FORTY, {"q0": (WRONG, RIGHT, WRONG), "q1": (WRONG,) * 3})
    found = compare(first, second)
    correct = metric(found, "correct")
    assert correct.cases == 40
    assert correct.difference == pytest.approx((1 / 3 - 2 / 3 - 1) / 40)
    assert correct.test == "permutation"
    # The answers shown are those that show the change.
    assert [(flip.case_id, flip.first, flip.second) for flip in found.flips] == [
        ("q0", RIGHT, WRONG),
        ("q1", RIGHT, WRONG),
    ]
    assert correct.spread.noise is not None


def test_weights_and_conversations_count() -> None:
    asked = tuple(replace(one, weight=3.0 if place < 4 else 1.0) for place, one in enumerate(FORTY))
    asked = tuple(replace(one, conversation=f"c{place // 4}") for place, one in enumerate(asked))
    found = compare(made("first", asked), made("second", asked, {f"q{place}": WRONG for place in range(4)}))
    correct = metric(found, "correct")
    assert correct.difference == pytest.approx(-12 / 48)
    assert (correct.cases, correct.conversations) == (40, 10)
    # Four cases of one conversation are one piece of evidence.
    assert correct.p == 1.0


def test_another_version_of_the_dataset_is_compared_where_it_is_the_same() -> None:
    changed = (*(case("q0", facts=(("no",),)), *FORTY[1:39]), case("new"))
    found = compare(BASE, made("other", changed, sha256="b" * 64))
    assert found.cases == 38
    assert found.left_out == {
        "only in the first run": ("q39",),
        "only in the second run": ("new",),
        "other content": ("q0",),
    }
    assert any("two versions" in note for note in found.notes)
    # Tags, weight and who confirmed a case change nothing of what is asked.
    retagged = tuple(replace(one, tags=("x",), weight=2.0, confirmed=False) for one in FORTY)
    assert compare(BASE, made("tagged", retagged, sha256="b" * 64)).cases == 40


def test_runs_without_a_common_case_are_refused() -> None:
    with pytest.raises(InputError, match="no case in common"):
        compare(BASE, made("other", (case("new"),)))


def test_another_judge_is_not_compared() -> None:
    ours, theirs = made("ours", FORTY, judge="a:x"), made("theirs", FORTY, judge="a:y")
    found = compare(ours, theirs)
    assert "judged was given by different judges or prompts: not compared" in found.notes
    assert [one.metric for one in found.metrics if one.metric == "judged"] == []
    assert metric(compare(ours, made("again", FORTY, judge="a:x")), "judged").cases == 40


def test_a_metric_of_one_side_is_told() -> None:
    assert "judged is in the second run only: not compared" in compare(BASE, made("b", FORTY, judge="a:x")).notes


def test_a_run_that_ended_early_is_told() -> None:
    short = made("short", FORTY)
    short = replace(short, records=short.records[:30])
    found = compare(BASE, short)
    assert found.cases == 30
    assert "the second run ended early: 10 of 40 questions were not asked" in found.notes


def test_where_it_changed() -> None:
    asked = tuple(replace(one, tags=("even" if place % 2 else "odd",)) for place, one in enumerate(FORTY))
    german = replace(asked[1], question="Wie viele Tage Urlaub habe ich und wann muss ich ihn nehmen?")
    asked = (asked[0], german, *asked[2:])
    found = compare(made("a", asked), made("b", asked, {f"q{place}": WRONG for place in range(1, 20, 2)}))
    places = {(place.kind, place.name): place for place in found.places if place.metric == "correct"}
    tag = places["tag", "even"]
    assert (tag.cases, tag.worse, tag.better, tag.first, tag.second) == (20, 10, 0, 1.0, 0.5)
    assert ("tag", "odd") not in places
    assert places["language", "german"].worse == 1
    assert places["model", "scripted:quote"].cases == 40
    assert found.places[0].name == "german"


def test_what_differs_between_the_runs_is_told() -> None:
    changed = replace(made("b", FORTY), config={"retrieve": {"depth": 20}}, models={"answer": ("a:new",)})
    found = compare(replace(BASE, config={"retrieve": {"depth": 50}}), changed)
    assert found.changes == ("retrieve.depth: 50 -> 20", "model that played answer: scripted:quote -> a:new")
    assert compare(BASE, made("same", FORTY)).changes == ()


HOSTILE = (
    "</details><img src=x onerror=alert(1)> | **b** [a](https://evil.example) @team #1 `c` www.evil.example\n# Head"
)


def test_markdown_shows_hostile_text_as_it_is() -> None:
    asked = (replace(case("q0 | x"), question=HOSTILE), *FORTY[1:])
    page = comparison_page(compare(made("a", asked), made("b", asked, {"q0 | x": HOSTILE})))
    assert_harmless(page)
    assert "https&#58;&#47;&#47;evil.example" in page
    assert plain("it's 5 %, fine.") == "it's 5 %, fine."


def assert_harmless(page: str) -> None:
    from markdown_it import MarkdownIt

    shown = MarkdownIt("gfm-like", {"html": True, "linkify": False}).enable("table").render(page)
    assert "<img" not in shown
    assert "<a " not in shown
    assert page.count("<details>") == page.count("</details>") == shown.count("</details>")
    assert "alert(1)&gt; | **b** [a](https://evil.example) @team #1 `c` www.evil.example" in shown
    assert "@team" not in page
    assert "#1" not in page.replace("&#1", "")


def test_flips_of_a_run_with_itself_are_none() -> None:
    same: Run = BASE
    found = compare(same, same)
    assert (found.flips, found.places) == ((), ())
    assert "both are the same run" in found.notes
