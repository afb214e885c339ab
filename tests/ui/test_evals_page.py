"""The page of evals: runs over time, two of them compared, what the gate said, and what to type where nothing is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import streamlit as st
from eval_runs import ELSEWHERE, LOST, answered, decide_on, keep, make_runs, script, write_cases
from pages import MakeProject, fill, write_project
from streamlit.testing.v1 import AppTest

import ui.command
from evals.records import Run

PAGE = """
from rag.engine import Engine
from rag.settings import load_settings
from ui.evals_page import draw_evals

import streamlit as st

draw_evals(Engine.from_settings(load_settings()), lambda trace_id: st.text(f"led to {trace_id}"))
"""
WITH_NAMES = '[ui]\nuser_header = "x-user"\nreviewers = {reviewers}\n[roles]\nembed = "scripted:x"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A project and its two runs."""

    folder: Path
    runs: tuple[Run, Run]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    """Two runs, a decision on each, a promotion, and a file that is no run. What the page keeps, all tests share."""
    st.cache_data.clear()
    folder = write_project(tmp_path_factory.mktemp("ui") / "measured", script=script())
    fill(folder)
    runs = make_runs(folder)
    decide_on(folder, *runs)
    (folder / ".plumb" / "runs" / "broken.json").write_text('{"id": 1}')
    yield Measured(folder=folder, runs=runs)
    st.cache_data.clear()


@pytest.fixture
def page(measured: Measured, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("PLUMB_CONFIG", str(measured.folder / "plumbline.toml"))
    return opened()


def opened() -> AppTest:
    found = AppTest.from_string(PAGE, default_timeout=120).run()
    assert not found.exception
    return found


def html(page: AppTest) -> str:
    return "\n".join(str(element.proto.body) for element in page.get("html"))


def test_runs_are_listed_and_drawn(page: AppTest, measured: Measured) -> None:
    assert "broken.json is no run" in page.warning[0].value.replace("\\", "")
    first, second = measured.runs
    table = page.dataframe[0].value
    assert list(table["Run"]) == [second.id, first.id]
    assert list(table["Baseline"]) == ["", "main"]
    assert list(table["Answerable, right"]) == ["10.0 % (2–40)", "100.0 % (72–100)"]
    spec = json.loads(page.get("vega_lite_chart")[0].proto.spec)
    assert [layer["mark"]["type"] for layer in spec["layer"]] == ["rule", "point"]


def test_every_figure_that_the_runs_have_is_drawn_in_its_unit(page: AppTest) -> None:
    figure = page.selectbox[1]
    assert figure.value == "correct"
    assert "Answerable, right (share of cases)" in figure.options
    assert "Total time, p95 (seconds)" in figure.options
    # These runs had no judge.
    assert not any("judge" in option for option in figure.options)
    for name, title, direction in (
        ("failed", "Share of cases", "Low is good. Lines are 95 % intervals."),
        ("mrr", "Score", "High is good."),
        ("total_ms_p95", "Seconds", "Low is good."),
        ("prompt_tokens", "Tokens", "Neither high nor low is good."),
    ):
        page.selectbox[1].set_value(name).run()
        assert not page.exception
        spec = json.loads(page.get("vega_lite_chart")[0].proto.spec)
        assert {layer["encoding"]["y"]["title"] for layer in spec["layer"]} == {title}
        assert direction in [caption.value for caption in page.caption]
        assert page.get("vega_lite_chart")[0].proto.alt.endswith(": 2 runs")


def test_at_first_a_figure_is_drawn_that_the_runs_have(make_project: MakeProject) -> None:
    folder = make_project()
    case = {"id": "q", "question": "How many working days of annual leave?", "sources": ["leave.txt"]}
    keep(folder, answered(folder, write_cases(folder, [case])))
    # What is right nobody told.
    assert opened().selectbox[1].value == "recall_at_5"


def test_two_runs_are_compared_and_what_turned_is_read_side_by_side(page: AppTest, measured: Measured) -> None:
    kept = [str(measured.folder / ".plumb" / "runs" / f"{run.id}.json") for run in measured.runs]
    assert [page.selectbox[2].value, page.selectbox[3].value] == kept
    shown = html(page)
    assert '<tr class="plumb-unsupported"><th scope="row">answerable, right</th><td>10</td><td>100.0</td>' in shown
    assert '<tr><th scope="row">recall@5 of sources</th>' in shown
    assert f"{LOST} cases got worse, 0 better." in [caption.value for caption in page.caption]
    assert shown.count("plumb-badge plumb-unsupported") == LOST
    assert "&lt;b&gt;leave" in shown
    assert "<b>leave" not in shown
    answer = measured.runs[1].records[0].answer
    assert answer
    next(button for button in page.button if button.key == "flip-q0-second").click().run()
    assert f"led to {answer.trace_id}" in [text.value for text in page.text]


def test_decisions_and_promotions_are_listed(page: AppTest) -> None:
    decided, promoted = (frame.value for frame in page.dataframe[1:3])
    assert list(decided["Verdict"]) == ["fail", "inconclusive"]
    assert "lost 90 points" in decided["Why"][0]
    assert list(promoted["Change"]) == ["retrieve.limit = 5"]
    assert list(promoted["State"]) == ["in force"]


def test_a_redraw_asks_no_command_again(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui.command, "TIMEOUT_S", 0.0)
    page.selectbox[1].set_value("supported").run()
    assert not page.error
    # The other way round was not asked yet.
    page.selectbox[2].set_value(page.selectbox[3].value).run()
    assert "took longer than 0 s" in page.error[0].value
    assert len(page.dataframe) == 3


def test_words_that_may_be_of_others_are_hidden(
    page: AppTest, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"Trace {ELSEWHERE[:8]}" in [button.label for button in page.button]
    monkeypatch.setenv("PLUMB_CONFIG", str(measured.folder / "named.toml"))
    (measured.folder / "named.toml").write_text(WITH_NAMES.format(reviewers='["everyone"]'))
    page = opened()
    assert "q1 (not yours to read)" in html(page)
    assert html(page).count("plumb-badge plumb-unsupported") == LOST - 1
    assert f"Trace {ELSEWHERE[:8]}" not in [button.label for button in page.button]
    (measured.folder / "named.toml").write_text(WITH_NAMES.format(reviewers='["user:ada"]'))
    page = opened()
    assert "ui.reviewers" in page.info[0].value
    assert not page.dataframe


def test_what_a_command_complains_of_is_one_line(page: AppTest, measured: Measured) -> None:
    file = measured.folder / ".plumb" / "evals" / "baselines.json"
    text = file.read_text()
    file.write_text("[]")
    page.run()
    file.write_text(text)
    told = page.error[0].value.replace("\\", "")
    assert told.startswith(f"plumb eval runs: {file} is no list of baselines")
    assert told.endswith("; mend or remove it")
    assert len(page.dataframe) == 2


def test_an_empty_page_says_what_to_type(make_project: MakeProject) -> None:
    make_project()
    told = [info.value for info in opened().info]
    commands = ("plumb eval run", "plumb eval gate", "plumb promote")
    assert all(command in info for command, info in zip(commands, told, strict=True))
