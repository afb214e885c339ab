"""The pages for reviewing: who sees them, what they show, and a case made of an answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import MakeProject
from streamlit.testing.v1 import AppTest

from evals.dataset import load_dataset
from rag.case_history import changes
from rag.engine import Engine
from rag.settings import load_settings
from rag.types import Feedback, Scope

ASKED = "How many working days of annual leave do full-time employees have?"
PAGE = """
from rag.engine import Engine
from rag.settings import load_settings
from ui.{page}_page import draw_{page}

engine = Engine.from_settings(load_settings())
draw_{page}(engine, print) if "{page}" == "triage" else draw_{page}(engine)
"""


def opened(page: str) -> AppTest:
    run = AppTest.from_string(PAGE.format(page=page), default_timeout=30).run()
    assert not run.exception
    return run


def choose(page: AppTest, trace_id: str) -> None:
    page.session_state["traces-chosen"] = [trace_id]
    page.run()
    assert not page.exception


def html(page: AppTest) -> str:
    return "\n".join(str(element.proto.body) for element in page.get("html"))


@pytest.fixture
def asked(make_project: MakeProject) -> Engine:
    """A question that was answered and rated down, and one without an answer."""
    make_project()
    engine = Engine.from_settings(load_settings())
    answer = engine.ask(ASKED)
    said = Feedback(
        trace_id=answer.trace_id, up=False, reasons=("outdated",), comment="<b>old</b>", correction="31 days"
    )
    engine.rate(said)
    engine.ask("Who painted the moon?")
    return engine


def test_the_list_is_filtered_and_names_what_is_there(asked: Engine) -> None:
    page = opened("traces")
    table = page.dataframe[0].value
    assert list(table["Status"]) == ["abstained", "ok"]
    assert list(table["Rated"]) == ["", "down"]
    page.selectbox[0].set_value("Rated down").run()
    assert list(page.dataframe[0].value["Asked"]) == [ASKED]
    page.text_input[0].set_value("nothing like this").run()
    assert "No traces" in page.info[0].value


def test_a_trace_that_another_page_leads_to_is_shown_however_old(
    asked: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.traces_page.MOST", 1)
    page = opened("traces")
    assert "30 working days" not in html(page)
    page.session_state["traces-sought"] = asked.spool.traces()[1].id
    page.run()
    assert "30 working days" in html(page)


def test_a_trace_in_full_becomes_a_case(asked: Engine) -> None:
    page = opened("traces")
    choose(page, asked.spool.traces()[1].id)
    shown = html(page)
    for part in (ASKED, "retrieve", "dense", "30 working days", "Outdated".lower(), "&lt;b&gt;old"):
        assert part in shown
    assert "<b>old" not in shown
    areas = {area.label: area for area in page.text_area}
    assert (areas["The question"].value, areas["A right answer"].value) == (ASKED, "31 days")
    areas["What it must say, a line each"].set_value("31\n working days")
    page.button[0].click().run()
    assert "Added to cases" in page.success[0].value
    file = asked.settings.root / "cases.jsonl"
    (case,) = load_dataset(file).cases
    assert (case.question, case.facts, case.sources) == (ASKED, (("31",), ("working days",)), ("docs/leave.txt",))
    assert (case.expected, case.confirmed, case.origin, case.tags) == (
        "31 days",
        True,
        "feedback",
        ("feedback", "outdated"),
    )
    assert case.then
    assert (case.then.trace_id, case.then.models) == (asked.spool.traces()[1].id, ("scripted:quote",))
    assert [change.did for change in changes(file)] == ["page"]
    page.checkbox[0].check()
    page.button[0].click().run()
    (case,) = load_dataset(file).cases
    assert (case.answerable, case.sources, case.confirmed) == (False, (), True)
    assert [decision for decision, _ in asked.spool.decided().values()] == ["case"]


def test_bad_answers_are_decided_on(asked: Engine) -> None:
    page = opened("triage")
    assert "Outdated" in page.subheader[0].value
    assert "&lt;b&gt;old" in html(page)
    page.button_group[1].set_value("fixed").run()
    assert [decision for decision, _ in asked.spool.decided().values()] == ["fixed"]
    assert "Nothing here" in opened("triage").info[0].value


def test_health_counts_and_names_the_gaps(asked: Engine) -> None:
    page = opened("health")
    told = {metric.label: metric.value for metric in page.metric}
    assert (told["Asked"], told["Failed"], told["Abstained"], told["Rated down"]) == ("2", "0", "50%", "50%")
    assert "painted the moon" in page.expander[0].label


def test_what_is_not_looked_at_is_told(asked: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.health_page.MOST_UNANSWERED", 0)
    assert opened("health").caption[0].value == "Only the latest 0 of 1 questions are grouped."
    monkeypatch.setattr("rag.triage.MOST", 0)
    assert "1 older bad answers that nobody decided on" in opened("triage").caption[0].value
    assert asked.spool.decided() == {}


@pytest.mark.parametrize("page", ["traces", "triage", "health"])
def test_visitors_with_names_need_to_be_reviewers(make_project: MakeProject, page: str) -> None:
    make_project(config='[ui]\nuser_header = "x-user"\n')
    assert "ui.reviewers" in opened(page).info[0].value


def test_what_is_not_theirs_to_read_is_hidden(make_project: MakeProject) -> None:
    folder: Path = make_project(config='[ingest]\nreaders = ["group:people"]\n')
    engine = Engine.from_settings(load_settings())
    engine.ask(ASKED, scope=Scope(groups=("people",)))
    page = opened("traces")
    assert list(page.dataframe[0].value["Asked"]) == ["(not yours to read)"]
    assert folder.exists()
    choose(page, engine.spool.traces()[0].id)
    assert not page.exception
    assert "30 working days" not in html(page)
    assert "not yours to read" in page.info[0].value
    page.text_input[0].set_value("working days").run()
    assert "No traces" in page.info[0].value
