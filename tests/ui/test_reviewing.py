"""The pages for reviewing: who sees them, what they show, and a case made of an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pages import MakeProject
from streamlit.testing.v1 import AppTest

from evals.dataset import load_dataset
from rag.case import Case
from rag.case_history import changes
from rag.casebook import put_cases
from rag.engine import Engine
from rag.errors import ModelError
from rag.retell import case_of
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


def save(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception


def told(page: AppTest) -> str:
    return "\n".join(markdown.value.replace("\\", "") for markdown in page.markdown)


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


def test_the_list_is_filtered_by_cost_user_index_and_time(make_project: MakeProject) -> None:
    make_project(config='[candidates."scripted:quote"]\nprice_in = 1\nprice_out = 1\nprice_cached = 0\n')
    engine = Engine.from_settings(load_settings())
    engine.ask(ASKED, scope=Scope(user="ada"), tags=["pilot"])
    engine.ask("Where is the printer room?", scope=Scope(user="bob"))
    page, both = opened("traces"), ["Where is the printer room?", ASKED]
    dearest = max(row.cost or 0 for row in engine.spool.traces())
    for kind, label, value, expected in (
        ("text_input", "User", "ada", both[1:]),
        ("text_input", "Index", "plumbline v1", both),
        ("text_input", "Index", "plumbline v2", []),
        ("text_input", "Tag", "pilot", both[1:]),
        ("number_input", "Dearer than", dearest / 100, both),
        ("number_input", "Dearer than", dearest, []),
        ("selectbox", "Until", "A day ago", []),
        ("selectbox", "Since", "An hour ago", both),
    ):
        filters = {widget.label: widget for widget in page.get(kind)}
        before = filters[label].value
        filters[label].set_value(value).run()
        assert not page.exception
        assert (list(page.dataframe[0].value["Asked"]) if page.dataframe else []) == expected, (label, value)
        {widget.label: widget for widget in page.get(kind)}[label].set_value(before).run()


def test_a_trace_that_another_page_leads_to_is_shown_however_old(
    asked: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.traces_page.MOST", 1)
    page = opened("traces")
    assert "30 working days" not in html(page)
    page.session_state["traces-sought"] = asked.spool.traces()[1].id
    page.run()
    assert "30 working days" in html(page)
    # Or where the list has none at all, as that of a project in which nobody but eval runs asked.
    page.selectbox[0].set_value("Eval runs").run()
    assert "No traces" in page.info[0].value
    assert "30 working days" in html(page)


def test_a_case_of_which_nobody_says_what_is_right_is_not_made(asked: Engine) -> None:
    asked.rate(Feedback(trace_id=asked.spool.traces()[1].id, up=False))
    page = opened("traces")
    choose(page, asked.spool.traces()[1].id)
    page.button[0].click().run()
    assert "an expected answer where answerable is true" in page.error[0].value
    assert not (asked.settings.root / "cases.jsonl").exists()


def test_a_trace_in_full_becomes_a_case(asked: Engine) -> None:
    page = opened("traces")
    choose(page, asked.spool.traces()[1].id)
    shown = html(page)
    for part in (ASKED, "retrieve", "dense", "30 working days", "Outdated".lower(), "&lt;b&gt;old"):
        assert part in shown
    assert "<b>old" not in shown
    areas = {area.label: area for area in page.text_area}
    assert (areas["The question"].value, areas["A right answer"].value) == (ASKED, "31 days")
    areas["What it must say, a line each"].set_value("31|thirty-one\n working days")
    page.button[0].click().run()
    assert "Added to cases" in page.success[0].value
    file = asked.settings.root / "cases.jsonl"
    (case,) = load_dataset(file).cases
    assert (case.question, case.facts, case.sources) == (
        ASKED,
        (("31", "thirty-one"), ("working days",)),
        # Nobody found its citation good.
        (),
    )
    assert (case.expected, case.confirmed, case.origin, case.tags) == (
        "31 days",
        True,
        "feedback",
        ("feedback", "outdated"),
    )
    assert case.then
    assert (case.then.trace_id, case.then.models) == (asked.spool.traces()[1].id, ("scripted:quote",))
    assert [change.did for change in changes(file)] == ["page"]
    assert [decision for decision, _ in asked.spool.decided().values()] == ["case"]


def test_whoever_confirms_a_case_sees_that_people_corrected_it_differently(asked: Engine) -> None:
    trace_id = asked.spool.traces()[1].id
    asked.spool.add_feedback(Feedback(trace_id=trace_id, user="cy", up=False, correction="33 <b>days"))
    page = opened("traces")
    choose(page, trace_id)
    areas = {area.label: area for area in page.text_area}
    assert areas["A right answer"].value == "33 <b>days"
    (caption,) = [one.value for one in page.caption if "differently" in one.value]
    assert "“31 days”" in caption
    areas["A right answer"].set_value("31 days")
    save(page, "Make the case")
    (case,) = load_dataset(asked.settings.root / "cases.jsonl").cases
    assert (case.expected, case.also, case.confirmed) == ("31 days", ("33 <b>days",), True)


@pytest.fixture
def kept(asked: Engine) -> Case:
    """A case of the answer that was rated down, confirmed with much that the form does not show."""
    trace = asked.spool.trace(asked.spool.traces()[1].id)
    case = replace(
        case_of(trace, ()),
        expected="",
        facts=(("31", "thirty-one"), ("working days",)),
        sources=("hr/curated.md",),
        evidence=("words\nof two lines",),
        tags=("numbers", "any"),
        split="test",
        weight=3.0,
        confirmed=True,
    )
    put_cases(asked.settings.root / "cases.jsonl", [case], did="add")
    return case


def test_a_case_that_is_there_is_changed_and_keeps_what_the_form_does_not_show(asked: Engine, kept: Case) -> None:
    page, file = opened("traces"), asked.settings.root / "cases.jsonl"
    choose(page, asked.spool.traces()[1].id)
    assert f"The eval case {kept.id} was made of it, and is confirmed" in told(page)
    areas = {area.label: area for area in page.text_area}
    assert areas["What it must say, a line each"].value == "31|thirty-one\nworking days"
    assert page.multiselect[0].value == ["hr/curated.md"]
    areas["A right answer"].set_value(" 31 days. ")
    save(page, "Change the case")
    assert "Changed in cases" in page.success[0].value
    changed = replace(kept, expected="31 days.")
    assert load_dataset(file).cases == (changed,)
    assert [change.did for change in changes(file)] == ["add", "change"]
    # What is drawn now is the case as it is, and a second click counts as the first did.
    page.checkbox[0].check()
    save(page, "Change the case")
    declined = replace(changed, expected="", facts=(), sources=(), evidence=(), answerable=False)
    assert load_dataset(file).cases == (declined,)
    page.checkbox[0].uncheck()
    save(page, "Change the case")
    assert "tell what is right" in page.error[0].value
    assert load_dataset(file).cases == (declined,)


def test_a_case_that_was_changed_meanwhile_is_not_written_over(asked: Engine, kept: Case) -> None:
    page, file = opened("traces"), asked.settings.root / "cases.jsonl"
    choose(page, asked.spool.traces()[1].id)
    page.text_area[1].set_value("32 days.")
    other = replace(kept, id="by-hand", expected="Thirty-one.")
    file.write_text("")
    put_cases(file, [other], did="by hand")
    save(page, "Change the case")
    assert "changed meanwhile" in page.error[0].value
    assert load_dataset(file).cases == (other,)
    # That one is of the same answer, and is what the form shows now.
    assert page.text_area[1].value == "Thirty-one."


def test_a_document_that_was_not_found_can_be_named(make_project: MakeProject) -> None:
    make_project(config="[retrieve]\nlimit = 1\n")
    engine = Engine.from_settings(load_settings())
    engine.ask(ASKED)
    page = opened("traces")
    choose(page, engine.spool.traces()[0].id)
    assert page.multiselect[0].options == ["docs/leave.txt"]
    page.multiselect[0].set_value(["docs/printers.txt", "docs", "docs/*gone*.txt"])
    save(page, "Make the case")
    (case,) = load_dataset(engine.settings.root / "cases.jsonl").cases
    assert case.sources == ("docs/printers.txt", "docs", "docs/*gone*.txt")
    assert [warning.value.replace("\\", "") for warning in page.warning] == [
        f"No document that is yours to read has the path '{name}'." for name in ("docs", "docs/*gone*.txt")
    ]


def test_a_case_with_words_that_are_not_theirs_is_not_shown(make_project: MakeProject) -> None:
    rule = '[[ingest.labels]]\ndocuments = "docs/leave.txt"\nreaders = ["group:people"]\n'
    make_project(config=rule)
    engine = Engine.from_settings(load_settings())
    engine.ask("Where is the printer room?")
    engine.ask(ASKED, scope=Scope(groups=("people",)))
    theirs, public = (engine.spool.trace(row.id) for row in engine.spool.traces()[:2])
    merged = replace(case_of(public, ()), expected="30 working days", then=case_of(theirs, ()).then)
    put_cases(engine.settings.root / "cases.jsonl", [merged], did="collect")
    page = opened("traces")
    choose(page, public.id)
    assert "words that are not yours to read" in page.info[0].value
    assert not page.text_area


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
    captions = [caption.value for caption in opened("health").caption]
    assert "Only the latest 0 of 1 questions are grouped." in captions
    monkeypatch.setattr("rag.triage.MOST", 0)
    assert "1 older bad answers that nobody decided on" in opened("triage").caption[0].value
    assert asked.spool.decided() == {}


def test_health_is_charted_by_day_model_and_prompt(asked: Engine) -> None:
    page = opened("health")
    assert {metric.label: metric.value for metric in page.metric}["Cost"] == "–"
    charts = [chart.proto.alt for chart in page.get("vega_lite_chart")]
    # What these models cost is not known: no picture of nothing.
    titles = ("Answers", "Seconds an answer", "Percent of answers")
    assert len([caption for caption in page.caption if "`price_in`" in caption.value]) == 3
    assert charts == [f"{title}, by {by}" for by in ("day", "model", "prompt") for title in titles]


def test_health_of_failed_answers_alone_is_charted(make_project: MakeProject) -> None:
    make_project(script=[{"match": "leave", "error": "refused"}])
    with pytest.raises(ModelError):
        Engine.from_settings(load_settings()).ask(ASKED)
    page = opened("health")
    assert {metric.label: metric.value for metric in page.metric}["Failed"] == "1"
    assert len(page.get("vega_lite_chart")) >= 4


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
