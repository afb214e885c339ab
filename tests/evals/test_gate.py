"""The gate: what passes, what fails, what is left open, and what is written down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import RIGHT, WRONG, case, cases, made

from evals.baselines import baselines, baselines_path, find_run, set_baseline
from evals.decisions import decisions, record
from evals.gate import Decision, decide
from evals.markdown import decision_page
from evals.records import save_run
from evals.ruling import Ruling
from rag.errors import ConfigError, InputError
from rag.sections import Gate
from rag.settings import Settings

HUNDRED = cases(100)
BASE = made("base", HUNDRED)


def gate(second: Any, settings: Gate | None = None, *, first: Any = BASE) -> Decision:
    return decide(first, second, settings or Gate(), name="main")


def ruling(decision: Decision, name: str) -> Ruling:
    return next(one for one in decision.rulings if one.metric == name)


def wrong(number: int) -> dict[str, str]:
    return {f"q{place}": WRONG for place in range(number)}


def test_the_same_answers_pass_with_enough_cases() -> None:
    decision = gate(made("same", HUNDRED))
    assert (decision.verdict, decision.reasons, decision.cases) == ("pass", (), 100)
    correct = ruling(decision, "correct")
    assert correct.gain == 0
    assert correct.at_worst is not None
    assert -0.05 < correct.at_worst < -0.03


def test_the_same_answers_are_left_open_with_few_and_it_says_how_many_it_takes() -> None:
    few = cases(65)
    decision = gate(made("same", few), first=made("base", few))
    assert decision.verdict == "inconclusive"
    assert "it takes 66 independent ones" in decision.reasons[0]
    assert "has 65" in decision.reasons[0]
    named = gate(made("same", few), Gate(metrics=("correct",)), first=made("base", few))
    assert (named.verdict, ruling(named, "correct").more_cases) == ("inconclusive", 1)


def test_a_large_loss_fails() -> None:
    decision = gate(made("worse", HUNDRED, wrong(12)))
    assert decision.verdict == "fail"
    assert ruling(decision, "correct").p_holm <= 0.04
    assert decision.lost == tuple(wrong(12))
    assert "answerable, right: lost 12 points (12 worse, 0 better), more than chance" in decision.reasons[0]


def test_without_facts_the_expected_answer_decides() -> None:
    asked = cases(100, facts=(), expected="Yes")
    base = made("base", asked)
    assert gate(made("same", asked), first=base).verdict == "pass"
    for answer in (WRONG, ""):
        decision = gate(made("worse", asked, {one.id: answer for one in asked}), first=base)
        assert decision.verdict == "fail"
        assert "expected answer, words said: lost" in decision.reasons[0]
    graded = made("base", asked, judge="scripted:judge")
    decision = gate(made("worse", asked, wrong(100), judge="scripted:judge"), first=graded)
    assert (decision.verdict, ruling(decision, "judged").verdict) == ("fail", "fail")


def test_facts_of_too_few_cases_are_told_as_what_they_are() -> None:
    asked = cases(10)
    decision = gate(made("same", asked), first=made("base", asked))
    assert decision.verdict == "inconclusive"
    (note,) = (note for note in decision.notes if "too few cases to pass" in note)
    assert note.startswith("what knows right from wrong has too few cases to pass: ")
    assert "'answerable, right' 10" in note


def test_with_sources_alone_it_must_go_on_answering_and_it_says_what_nobody_looked_at() -> None:
    asked = cases(100, facts=(), sources=("a.md",))
    base = made("base", asked)
    decision = gate(made("same", asked), first=base)
    assert decision.verdict == "pass"
    assert decision.notes == (
        "no gated metric knows a right answer from a wrong one: name one, or give cases facts or expected answers",
    )
    assert gate(made("silent", asked, dict.fromkeys((one.id for one in asked), "")), first=base).verdict == "fail"
    assert not gate(made("same", HUNDRED)).notes


def test_a_case_that_counts_much_is_imagined_lost_too() -> None:
    heavy = (*cases(99), replace(case("q99"), weight=50.0))
    decision = gate(made("same", heavy), first=made("base", heavy))
    assert decision.verdict == "inconclusive"
    assert ruling(decision, "correct").at_worst == pytest.approx(-0.25, abs=0.15)


def test_a_small_loss_is_left_open_and_it_says_what_would_decide() -> None:
    decision = gate(made("odd", HUNDRED, wrong(2)))
    assert decision.verdict == "inconclusive"
    assert ruling(decision, "correct").more_cases is not None
    assert "more cases would decide" in decision.reasons[0]
    assert gate(made("odd", HUNDRED, wrong(5)), Gate(margin=0.2)).verdict == "pass"


def test_a_real_loss_within_the_margin_is_no_failure() -> None:
    many = cases(1000)
    decision = gate(made("b", many, wrong(20)), first=made("a", many))
    assert decision.verdict == "pass"


def test_noise_is_told_and_how_many_repetitions_would_decide() -> None:
    def noisy(places: Sequence[int]) -> dict[str, tuple[str, ...]]:
        return {f"q{place}": (RIGHT, WRONG) if place in places else (RIGHT, RIGHT) for place in range(100)}

    decision = gate(made("b", HUNDRED, noisy(range(0, 30))), first=made("a", HUNDRED, noisy(range(20, 50))))
    correct = ruling(decision, "correct")
    assert (decision.verdict, correct.gain) == ("inconclusive", 0)
    assert correct.noise is not None
    assert correct.noise > 0.5
    assert correct.repetitions is not None
    assert correct.repetitions > 2
    assert f"so would {correct.repetitions} repetitions of each" in decision.reasons[0]


def test_only_confirmed_cases_count() -> None:
    asked = tuple(replace(one, confirmed=place >= 20) for place, one in enumerate(HUNDRED))
    decision = gate(made("worse", asked, wrong(20)))
    assert (decision.verdict, decision.cases, decision.left_out) == ("pass", 80, {"not confirmed": 20})
    with pytest.raises(InputError, match="none of 100 cases is confirmed"):
        gate(made("b", tuple(replace(one, confirmed=False) for one in HUNDRED)))


def test_a_conversation_is_one_piece_of_evidence() -> None:
    asked = tuple(replace(one, conversation=f"c{place // 10}") for place, one in enumerate(HUNDRED))
    decision = gate(made("same", asked), first=made("base", asked))
    assert decision.verdict == "inconclusive"
    assert "has 10" in decision.reasons[0]
    # Ten questions lost in one conversation may be one accident.
    assert gate(made("worse", asked, wrong(10)), first=made("base", asked)).verdict == "inconclusive"


def test_a_metric_with_few_cases_need_not_pass_but_can_fail() -> None:
    asked = (*HUNDRED, *cases(12, tags=("off",)))
    asked = tuple(
        replace(one, id=f"u{place}", facts=(), answerable=False) if one.tags else one for place, one in enumerate(asked)
    )
    declining = {one.id: "" for one in asked if one.tags}
    decision = gate(made("same", asked, declining), first=made("base", asked, declining))
    few = ruling(decision, "declined_unanswerable")
    assert (decision.verdict, few.verdict, few.is_required, few.cases) == ("pass", "inconclusive", False, 12)
    talkative = gate(made("talks", asked), first=made("base", asked, declining))
    assert talkative.verdict == "fail"
    assert "unanswerable, declined: lost 100 points" in talkative.reasons[0]
    required = Gate(margins={"declined_unanswerable": 0.05})
    assert (
        gate(made("same", asked, declining), required, first=made("base", asked, declining)).verdict == "inconclusive"
    )


def test_floors_hold_whatever_the_baseline_was() -> None:
    low = made("low", HUNDRED, wrong(40))
    same = made("same", HUNDRED, wrong(40))
    assert gate(same, first=low).verdict == "pass"
    missed = gate(same, Gate(floors={"correct": 0.9}), first=low)
    assert missed.verdict == "fail"
    assert "the least it must be, 90.0 %, is missed" in missed.reasons[0]
    unclear = gate(same, Gate(floors={"correct": 0.58}), first=low)
    assert unclear.verdict == "inconclusive"
    assert "may be missed: it is between" in unclear.reasons[0]
    assert gate(same, Gate(floors={"correct": 0.45}), first=low).verdict == "pass"
    # Where low is good the floor is a ceiling.
    shy = {f"q{place}": "" for place in range(40)}
    declined = gate(made("b", HUNDRED, shy), Gate(floors={"declined_answerable": 0.1}), first=made("a", HUNDRED, shy))
    assert "the most it must be, 10.0 %, is missed" in declined.reasons[0]


def test_a_run_that_ended_early_does_not_pass() -> None:
    short = made("short", HUNDRED)
    decision = gate(replace(short, records=short.records[:90]))
    assert decision.verdict == "inconclusive"
    assert decision.reasons == ("the run ended early: 10 questions of 100 not asked",)
    # Each was to be asked three times, and was asked once.
    assert gate(replace(short, repeat=3)).reasons == ("the run ended early: 200 questions of 300 not asked",)


def test_a_metric_that_does_not_exist_is_a_wrong_setting() -> None:
    for wrongly in (Gate(metrics=("corect",)), Gate(floors={"total_ms_p50": 0.5}), Gate(margins={"x": 0.1})):
        with pytest.raises(ConfigError, match="names the metric"):
            gate(BASE, wrongly)


def test_a_required_metric_of_another_judge_is_left_open() -> None:
    decision = gate(made("b", HUNDRED, judge="a:y"), Gate(metrics=("judged",)), first=made("a", HUNDRED, judge="a:x"))
    assert decision.verdict == "inconclusive"
    assert decision.rulings[0].cases == 0
    assert any("different judges" in note for note in decision.notes)


def test_decisions_are_kept_and_a_torn_line_hurts_none(tmp_path: Path) -> None:
    path = tmp_path / "evals" / "decisions.jsonl"
    first, second = gate(made("same", HUNDRED)), gate(made("worse", HUNDRED, wrong(12)))
    record(first, path)
    with path.open("a") as file:
        file.write('{"verdict": "pa')
    record(second, path)
    assert list(decisions(path)) == [first, second]
    kept = json.loads(path.read_text().splitlines()[-1])
    assert kept == json.loads(json.dumps(asdict(second)))
    assert (kept["verdict"], kept["run"], kept["baseline_run"], kept["rule"]["margin"]) == (
        "fail",
        "worse",
        "base",
        0.05,
    )
    assert list(decisions(tmp_path / "none.jsonl")) == []


def test_the_markdown_begins_with_the_verdict() -> None:
    page = decision_page(gate(made("worse", HUNDRED, wrong(12))))
    assert page.startswith("## ❌ Gate: fail\n")
    assert "| answerable, right | 100 | 100.0 | 88.0 | -12.0 |" in page


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    settings = Settings(root=tmp_path)
    for name in ("2026-01-01T00-00-00Z-a", "2026-01-02T00-00-00Z-a"):
        save_run(made(name, cases(3)), settings.data_path / "runs" / f"{name}.json")
    return settings


def test_runs_have_many_names(place: Settings) -> None:
    set_baseline(place, "main", "2026-01-01")
    assert find_run(place, "main").id == "2026-01-01T00-00-00Z-a"
    assert find_run(place, "latest").id == "2026-01-02T00-00-00Z-a"
    assert find_run(place, "2026-01-02T00-00-00Z-a").id == "2026-01-02T00-00-00Z-a"
    file = place.data_path / "runs" / "2026-01-02T00-00-00Z-a.json"
    assert find_run(place, str(file)).id == "2026-01-02T00-00-00Z-a"
    assert baselines(place)["main"].path == ".plumb/runs/2026-01-01T00-00-00Z-a.json"
    set_baseline(place, "main", "latest")
    assert find_run(place, "main").id == "2026-01-02T00-00-00Z-a"


def test_latest_is_the_last_whole_run_of_a_dataset_whatever_a_file_is_called(
    place: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = place.data_path / "runs"
    monkeypatch.chdir(place.root)
    early, live = made("2026-01-03-a", cases(3)), made("2026-01-04-live", cases(3), sha256="")
    save_run(replace(early, records=early.records[:2]), runs / f"{early.id}.json")
    save_run(live, runs / f"{live.id}.json")
    for word in ("latest", "main"):
        save_run(made("a file", cases(3)), Path(word))
    set_baseline(place, "main", "2026-01-01")
    assert find_run(place, "latest").id == "2026-01-02T00-00-00Z-a"
    assert find_run(place, "main").id == "2026-01-01T00-00-00Z-a"
    assert find_run(place, "./latest").id == "a file"
    with pytest.raises(InputError, match="holds answers that users got; expected a run of a dataset"):
        set_baseline(place, "main", live.id)
    assert find_run(place, "main").id == "2026-01-01T00-00-00Z-a"


def test_a_name_that_is_none_or_not_the_only_one_is_refused(place: Settings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names 2 runs"):
        find_run(place, "2026-01")
    with pytest.raises(InputError, match="no run 'other'"):
        find_run(place, "other")
    for name in ("latest", "a/b", "", "../x"):
        with pytest.raises(InputError, match="no name for a baseline"):
            set_baseline(place, name, "latest")
    with pytest.raises(InputError, match="no run 'latest'"):
        find_run(Settings(root=tmp_path / "empty"), "latest")


def test_a_baseline_whose_run_was_changed_is_refused(place: Settings) -> None:
    set_baseline(place, "main", "latest")
    file = place.root / baselines(place)["main"].path
    file.write_text(file.read_text().replace("It is yes.", "It is no."))
    with pytest.raises(InputError, match="has changed"):
        find_run(place, "main")
    file.unlink()
    with pytest.raises(InputError, match="is gone"):
        find_run(place, "main")
    baselines_path(place).write_text("[]")
    with pytest.raises(InputError, match="no list of baselines"):
        find_run(place, "main")
