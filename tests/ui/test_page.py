"""The page, run in this process: what is drawn, what is stored."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NoReturn

import pytest
from pages import APP, MakeProject, ask, html, open_page
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import TextArea

from rag.engine import Engine
from rag.observe.filter import Filter
from rag.observe.spool import TraceRow, open_spool
from rag.settings import load_settings

QUESTION = "How many working days of annual leave do full-time employees have?"


def labelled(page: AppTest, label: str) -> TextArea:
    return next(area for area in page.text_area if area.label == label)


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def traces() -> list[TraceRow]:
    return open_spool(load_settings()).traces(Filter(name="ask"))


def test_an_answer_shows_its_sources_its_check_and_how_it_came_about(make_project: MakeProject) -> None:
    make_project()
    page = ask(open_page(), QUESTION)
    shown = html(page)
    assert "Every claim is supported by the documents" in shown
    assert "✓ supported" in shown
    assert "docs/leave.txt" in shown
    assert "<blockquote>Full-time employees have 30 working days" in shown
    assert "<mark>Full-time employees have 30 working days" in shown
    steps = next(str(element.proto.body) for element in page.get("html") if "plumb-steps" in element.proto.body)
    assert all(name in steps for name in ("retrieve", "generate", "verify"))
    assert "scripted:quote" in shown
    assert page.code[-1].value == traces()[0].id


def test_a_marker_leads_to_its_source(make_project: MakeProject) -> None:
    make_project()
    shown = html(ask(open_page(), QUESTION))
    name = f"source-{traces()[0].id}-1"
    assert f'href="#{name}"' in shown
    assert f'id="{name}"' in shown


def test_an_abstention_looks_different_and_offers_the_closest_passages(make_project: MakeProject) -> None:
    make_project()
    page = ask(open_page(), "Who won the football championship?")
    assert "don't hold the answer" in page.info[0].value
    assert "Looked for: “Who won the football championship?”." in html(page)
    assert "Closest passages" in html(page)
    assert "Sources" not in html(page)


def test_a_question_that_the_budget_can_not_pay_says_so(make_project: MakeProject) -> None:
    make_project(config="[budget]\nturn_tokens = 100\n")
    page = ask(open_page(), QUESTION)
    told = page.error[0].value.replace("\\", "")
    assert "0 of this question's 100 tokens are used or reserved" in told
    assert "raise budget.turn_tokens in plumbline.toml" in told


def test_an_answer_that_is_withheld_says_so(make_project: MakeProject) -> None:
    make_project(script=[{"match": "leave", "reply": "The founder came from Mars in 1888."}])
    page = ask(open_page(), QUESTION)
    assert "don't confirm what the model answered" in page.info[0].value
    assert "Mars" not in html(page)


def test_a_claim_that_only_a_judge_supports_is_named(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMB_ROLES__JUDGE", "scripted:script.json")
    monkeypatch.setenv("PLUMB_VERIFY__SECOND_OPINION", "true")
    said = [
        {"match": "all that the claim says", "reply": "Yes"},
        {"match": "", "reply": "The whole week gets 30 days."},
    ]
    make_project(script=said)
    shown = html(ask(open_page(), QUESTION))
    assert "Every claim is supported" in shown
    assert "Supported only in the view of scripted:script.json" in shown


def test_every_claim_that_is_not_supported_is_named(make_project: MakeProject) -> None:
    make_project(
        script=[{"match": "leave", "reply": "Employees have 30 working days [1]. The founder came from Mars in 1888."}]
    )
    shown = html(ask(open_page(), "How much leave?"))
    assert "Not supported by the documents:" in shown
    assert "The founder came from Mars in 1888." in shown
    assert "1 of 2 claims" in shown


def test_a_claim_that_a_passage_contradicts_is_named(make_project: MakeProject) -> None:
    reply = "Employees have 30 working days of annual leave [1]. Employees have 31 working days of annual leave [1]."
    make_project(script=[{"match": "leave", "reply": reply}])
    shown = html(ask(open_page(), "How much leave?"))
    assert "Contradicted by the documents:" in shown
    assert "it has 30 there" in shown
    assert "some claims not supported" in shown


def test_answers_passages_and_titles_are_shown_as_text(make_project: MakeProject) -> None:
    reply = (
        "The printer room is on floor seven [1]. <img src=http://tracker.test/a.png> ![b](http://tracker.test/b.png)"
    )
    make_project(config='[ui]\ntitle = "<b>Desk</b>"', script=[{"match": "printer", "reply": reply}])
    shown = html(ask(open_page(), "Where is the printer room on this floor?"))
    assert "<img" not in shown
    assert "<b>Desk" not in shown
    assert "&lt;b&gt;Desk" in shown
    assert "&lt;img src=http://tracker.test/a.png" in shown
    assert "&lt;img src=&quot;http://tracker.test/q.png" in shown


def test_a_failing_model_is_one_line_and_the_next_question_is_answered(make_project: MakeProject) -> None:
    script = [
        {"match": "Question: broken", "error": "connection refused ![x](http://tracker.test/x.png)"},
        {"match": "leave", "reply": "Full-time employees have 30 working days of paid annual leave [1]."},
    ]
    make_project(script=script)
    page = ask(open_page(), "broken leave")
    assert "connection refused" in page.error[0].value
    assert "![x]" not in page.error[0].value
    page = ask(page, "How much leave?")
    assert "Every claim is supported" in html(page)
    assert [row.status for row in traces()] == ["ok", "failed"]


def test_an_answer_that_breaks_off_leaves_nothing_on_the_page(make_project: MakeProject) -> None:
    folder = make_project(
        script=[{"match": "Yes or No", "reply": "Yes"}, {"match": "", "reply": "Wrong", "error": "gone"}]
    )
    config = (folder / "plumbline.toml").read_text()
    chain = '["scripted:script.json", "scripted:quote"]'
    (folder / "plumbline.toml").write_text(config.replace('"scripted:script.json"', chain))
    page = ask(open_page(), QUESTION)
    shown = html(page)
    assert "30 working days" in shown
    assert "Wrong" not in shown
    assert "scripted:script.json, then scripted:quote" in shown
    assert "scripted:script.json broken, scripted:quote answered" in shown


@pytest.mark.parametrize("strategy", ["cascade", "vote"])
def test_of_several_models_only_the_chosen_answer_stays_on_the_page(make_project: MakeProject, strategy: str) -> None:
    folder = make_project(
        script=[{"match": "Yes or No", "reply": "Yes"}, {"match": "", "reply": "Employees have 45 days of leave [1]."}]
    )
    config = (folder / "plumbline.toml").read_text()
    chain = '["scripted:script.json", "scripted:quote"]'
    changed = config.replace('"scripted:script.json"', chain) + f'[generate]\nstrategy = "{strategy}"\n'
    (folder / "plumbline.toml").write_text(changed)
    shown = html(ask(open_page(), QUESTION))
    assert "30 working days" in shown
    assert "45 days" not in shown
    assert "choose" in shown


def test_a_defect_is_one_friendly_line_and_is_logged(
    make_project: MakeProject, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defective(*_given: object, **_named: object) -> NoReturn:
        raise ZeroDivisionError("secret of the inside")

    make_project()
    monkeypatch.setattr(Engine, "stream", defective)
    with caplog.at_level(logging.ERROR, logger="plumbline"):
        page = ask(open_page(), "How much leave?")
    assert "Something went wrong" in page.error[0].value
    assert "secret" not in page.error[0].value
    assert "ZeroDivisionError" in caplog.text


def test_a_wrong_setting_is_one_line(make_project: MakeProject) -> None:
    make_project(config="[nonsense]\nkey = 1", documents={})
    page = open_page()
    assert not page.exception
    assert "unknown setting" in page.error[0].value


def test_a_question_that_is_too_long_is_refused_in_one_line(make_project: MakeProject) -> None:
    make_project(config="[limits]\nquestion_chars = 8000")
    page = ask(open_page(), "a" * 100_000)
    assert "100,000 characters" in page.error[0].value.replace("\\", "")


def test_an_empty_index_tells_how_to_fill_it(make_project: MakeProject) -> None:
    make_project(documents={})
    page = open_page()
    assert "plumb ingest" in page.info[0].value
    assert "plumb ingest" in ask(page, "Anything?").error[0].value


def test_an_example_is_asked_at_a_click(make_project: MakeProject) -> None:
    make_project(config=f'[ui]\nexamples = ["{QUESTION}"]')
    page = open_page()
    page.button(key="example-0").click().run()
    assert page.chat_message[0].text[0].value == QUESTION
    assert "30 working days" in html(page)
    assert not [button for button in page.button if button.key == "example-0"]


def test_the_side_bar_tells_models_and_index(make_project: MakeProject) -> None:
    make_project()
    shown = html(open_page())
    assert "scripted:quote" in shown
    assert "scripted:x" in shown
    assert "plumbline v1 (edge), 2 passages" in shown


def test_a_follow_up_is_asked_with_its_history_until_a_new_conversation(make_project: MakeProject) -> None:
    make_project()
    page = ask(ask(open_page(), QUESTION), "Who receives requests for it?")
    spool = open_spool(load_settings())
    follow_up = spool.trace(traces()[0].id)
    assert QUESTION in str(follow_up.steps[0].attributes["query"])
    press(page, "New conversation")
    assert not page.chat_message
    ask(page, QUESTION)
    anew, first = (spool.trace(traces()[number].id) for number in (0, 2))
    assert anew.steps[0].name == "retrieve"
    assert first.attributes["session_id"] == follow_up.attributes["session_id"] != anew.attributes["session_id"]


def test_what_is_said_is_stored_shown_and_can_be_changed_and_taken_back(make_project: MakeProject) -> None:
    make_project()
    page = ask(open_page(), QUESTION)
    spool, trace_id = open_spool(load_settings()), traces()[0].id
    page.feedback[0].set_value(0).run()
    page.button_group[0].set_value(["outdated", "incomplete"]).run()
    labelled(page, "Comment").set_value("  see chapter 3  ")
    labelled(page, "The right answer").set_value("31 days.")
    press(page, "Send")
    page.feedback[1].set_value(0).run()
    (said,) = spool.feedback(trace_id)
    assert (said.up, said.reasons, said.comment) == (False, ("outdated", "incomplete"), "see chapter 3")
    assert (said.correction, said.citations) == ("31 days.", {1: False})
    page.feedback[0].set_value(1).run()
    (said,) = spool.feedback(trace_id)
    # What else they said stays, in the page too: they can take it back.
    assert (said.up, said.reasons, said.comment) == (True, ("outdated", "incomplete"), "see chapter 3")
    assert said.correction == labelled(page, "The right answer").value == "31 days."
    assert page.button_group[0].value == ["outdated", "incomplete"]
    page.button_group[0].set_value([]).run()
    assert spool.feedback(trace_id)[0].reasons == ()
    assert ask(page, "And what else?").feedback[0].value == 1
    press(page, "Take back")
    assert spool.feedback(trace_id) == []
    assert page.feedback[0].value is None


def test_an_answer_is_made_anew_and_the_old_one_remembers(make_project: MakeProject) -> None:
    make_project(config="[cache]\nenabled = true")
    page = press(ask(open_page(), QUESTION), "Regenerate")
    assert [message.name for message in page.chat_message] == ["user", "assistant"]
    new, old = traces()
    spool = open_spool(load_settings())
    assert spool.signals(old.id) == ["regenerated"]
    assert not spool.trace(new.id).attributes.get("given_before")
    assert new.rating is None


def test_a_question_is_edited_and_what_came_after_it_goes(make_project: MakeProject) -> None:
    make_project()
    page = ask(ask(open_page(), QUESTION), "Who receives requests for it?")
    labelled(page, "Question").set_value("Where is the printer room?")
    press(page, "Send again")
    assert [message.name for message in page.chat_message] == ["user", "assistant"]
    assert "floor seven" in html(page)


def test_asking_again_in_other_words_is_noted_and_is_no_rating(make_project: MakeProject) -> None:
    make_project()
    ask(ask(open_page(), QUESTION), f"Please: {QUESTION}")
    _, first = traces()
    assert open_spool(load_settings()).signals(first.id) == ["rephrased"]
    assert first.rating is None


def test_a_rating_that_can_not_be_stored_says_so(make_project: MakeProject) -> None:
    folder = make_project()
    page = ask(open_page(), QUESTION)
    for file in (folder / ".plumb").glob("traces.db*"):
        file.unlink()
    page.feedback[0].set_value(1).run()
    assert "no trace" in page.error[0].value
    assert page.feedback[0].value is None


def test_without_traces_nothing_can_be_rated(make_project: MakeProject) -> None:
    make_project(config="[trace]\nenabled = false")
    page = ask(open_page(), QUESTION)
    assert "30 working days" in html(page)
    assert not page.feedback


@pytest.mark.parametrize("file", sorted(APP.parent.glob("*.py")), ids=lambda file: file.name)
def test_no_file_here_hides_another_module(file: Path) -> None:
    # `streamlit run ui/app.py` puts ui/ first on sys.path.
    assert file.stem not in sys.stdlib_module_names
    assert file.stem not in packages_distributions()
