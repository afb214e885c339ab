"""Conversations on the page: kept, listed, opened again, named, deleted, and nobody else's."""

from __future__ import annotations

import pytest
from pages import MakeProject, Visitor, ask, html, open_page
from streamlit.testing.v1 import AppTest

from ingest.pipeline import ingest
from rag.settings import load_settings
from ui.chats import open_chats
from ui.exchange import Exchange

QUESTION = "How many working days of annual leave do full-time employees have?"
NAMED = '[ui]\nuser_header = "x-user"\ngroups_header = "x-groups"\n'
WITHHELD = "not yours to read"


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def listed(page: AppTest) -> list[str]:
    return [button.label for button in page.button if str(button.key).startswith("chat-")]


def opened(page: AppTest) -> str:
    told = page.query_params["chat"]
    return told if isinstance(told, str) else told[0]


def ada(visitor: Visitor, *, groups: str = "") -> None:
    visitor.headers.update({"x-user": "ada", "x-groups": groups})


def test_a_conversation_is_opened_again_and_goes_on(make_project: MakeProject, visitor: Visitor) -> None:
    make_project(config=NAMED)
    ada(visitor)
    first = ask(open_page(), QUESTION)
    first.feedback[0].set_value(1).run()
    page = open_page()
    assert [name.replace("\\", "") for name in listed(page)] == [f"{QUESTION[:59]}…"]
    page = press(page, listed(page)[0])
    shown = html(page)
    assert "<mark>Full-time employees have 30 working days" in shown
    assert "plumb-steps" in shown
    assert "Every claim is supported" in shown
    assert page.feedback[0].value == 1
    page = ask(page, "Who receives requests for it?")
    assert [message.name for message in page.chat_message] == ["user", "assistant"] * 2
    (chat,) = open_chats(load_settings()).listed("user:ada", limit=9)
    assert chat.id == opened(first) == opened(page)


def test_a_reload_keeps_the_conversation_that_was_open(make_project: MakeProject, visitor: Visitor) -> None:
    make_project()
    visitor.cookies["plumb_browser"] = "a" * 32
    chat = opened(ask(open_page(), QUESTION))
    page = open_page(chat=chat)
    assert page.chat_message[0].text[0].value == QUESTION
    page = press(page, "New conversation")
    assert "chat" not in page.query_params
    assert not page.chat_message


def test_without_names_a_conversation_is_its_browsers(make_project: MakeProject, visitor: Visitor) -> None:
    make_project()
    visitor.cookies["plumb_browser"] = "a" * 32
    chat = opened(ask(open_page(), QUESTION))
    for cookies in ({"plumb_browser": "b" * 32}, {}, {"plumb_browser": "x' OR 1=1"}):
        visitor.cookies.clear()
        visitor.cookies.update(cookies)
        page = open_page(chat=chat)
        assert listed(page) == []
        assert not page.chat_message
        assert "chat" not in page.query_params


def test_a_browser_without_an_id_is_given_one(make_project: MakeProject, visitor: Visitor) -> None:
    make_project()
    assert "plumb_browser=" in html(open_page())
    visitor.cookies["plumb_browser"] = "a" * 32
    assert "plumb_browser=" not in html(open_page())


def test_with_names_a_conversation_is_its_visitors(make_project: MakeProject, visitor: Visitor) -> None:
    make_project(config=NAMED)
    ada(visitor)
    page = ask(open_page(), QUESTION)
    chat = opened(page)
    visitor.headers["x-user"] = "bob"
    other = open_page(chat=chat)
    assert listed(other) == []
    assert not other.chat_message
    # The tab of one who went, in which another signs in.
    page.run()
    assert not page.chat_message
    assert listed(page) == []


def test_a_conversation_is_named_and_deleted(make_project: MakeProject, visitor: Visitor) -> None:
    make_project()
    visitor.cookies["plumb_browser"] = "a" * 32
    page = ask(open_page(), QUESTION)
    page = press(page.run(), listed(page)[0])
    page.text_input[0].set_value("Leave & rest")
    page = press(page, "Save")
    assert listed(page) == ["Leave \\& rest"]
    page = press(page, "Delete")
    assert listed(page) == ["Leave \\& rest"]
    page = press(page, "Delete it")
    assert listed(page) == []
    assert not page.chat_message


def test_what_is_asked_anew_takes_the_place_of_what_was_kept(make_project: MakeProject, visitor: Visitor) -> None:
    make_project()
    visitor.cookies["plumb_browser"] = "a" * 32
    page = press(ask(ask(open_page(), QUESTION), "And who receives requests?"), "Regenerate")
    page = open_page(chat=opened(page))
    assert [message.name for message in page.chat_message] == ["user", "assistant"] * 2


@pytest.mark.parametrize("change", ["readers", "gone", "text"])
def test_an_answer_is_drawn_again_for_whom_it_still_is(
    make_project: MakeProject, visitor: Visitor, change: str
) -> None:
    folder = make_project(config=NAMED)
    ada(visitor)
    chat = opened(ask(open_page(), QUESTION))
    document = folder / "docs" / "leave.txt"
    match change:
        case "readers":
            (folder / "docs" / "leave.txt.meta.toml").write_text('readers = ["group:board"]')
        case "gone":
            document.unlink()
        case _:
            document.write_text(document.read_text().replace("two weeks", "three weeks"))
    list(ingest([folder / "docs"], settings=load_settings()))
    page = open_page(chat=chat)
    assert page.chat_message[0].text[0].value == QUESTION
    is_shown = change == "text"
    assert ("30 working days" in html(page)) is is_shown
    assert [WITHHELD in info.value for info in page.info] == ([] if is_shown else [True])


def test_who_left_a_group_sees_its_answers_no_more(make_project: MakeProject, visitor: Visitor) -> None:
    folder = make_project(config=NAMED + '[ingest]\nreaders = ["group:people"]\n')
    ada(visitor, groups="people")
    chat = opened(ask(open_page(), QUESTION))
    assert "30 working days" in html(open_page(chat=chat))
    ada(visitor)
    page = open_page(chat=chat)
    assert "30 working days" not in html(page)
    assert WITHHELD in page.info[0].value
    assert folder.exists()
    # A withheld answer is no history either.
    assert "30 working days" not in html(ask(page, "And how many of them are working days?"))


def test_a_question_that_a_crash_left_is_there_and_stopped(make_project: MakeProject, visitor: Visitor) -> None:
    make_project()
    visitor.cookies["plumb_browser"] = "a" * 32
    open_chats(load_settings()).add(f"browser:{'a' * 32}", "c1", Exchange(id="x", question=QUESTION))
    page = open_page(chat="c1")
    assert page.chat_message[0].text[0].value == QUESTION
    assert "Stopped before" in page.chat_message[1].caption[0].value
    assert "30 working days" in html(ask(page, QUESTION))


@pytest.mark.parametrize("rule", ["enabled = false", 'content = "none"'])
def test_where_no_texts_are_kept_no_conversation_is(make_project: MakeProject, visitor: Visitor, rule: str) -> None:
    folder = make_project(config=f"[trace]\n{rule}\n")
    visitor.cookies["plumb_browser"] = "a" * 32
    page = ask(open_page(), QUESTION)
    assert "30 working days" in html(page)
    assert listed(page.run()) == []
    assert "chat" not in page.query_params
    assert not list((folder / ".plumb").glob("chats.db*"))


def test_a_file_that_can_not_be_used_costs_only_the_keeping(make_project: MakeProject) -> None:
    folder = make_project()
    (folder / ".plumb" / "chats.db").write_bytes(b"no database " * 100)
    page = ask(open_page(), QUESTION)
    assert "30 working days" in html(page)
    assert "not kept" in page.run().warning[0].value
