"""The real page: `plumb ui` as a user starts it, driven in headless Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import Served, ask, escape_from, screenshot, serve, visit
from header_proxy import proxied
from pages import fill, write_project
from playwright.sync_api import Browser, expect
from reportlab.pdfgen import canvas

from rag.observe.filter import Filter

pytestmark = pytest.mark.browser
QUESTION = "How many working days of annual leave do full-time employees have?"
SCRIPT = [
    {
        "match": "Question: hostile",
        "reply": "<img src=http://tracker.test/a.png> ![b](http://tracker.test/b.png) leave",
    },
    {"match": "Question: broken", "error": "refused ![c](http://tracker.test/c.png)"},
    {"match": "Question: slow", "delay_s": 4, "reply": "Full-time employees have 30 working days of annual leave [1]."},
]


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page whose model is slow, broken or hostile."""
    folder = write_project(tmp_path_factory.mktemp("ui") / "scripted", script=SCRIPT)
    fill(folder)
    with serve(folder) as served:
        yield served


def test_a_question_is_answered_rated_and_commented(chromium: Browser, quoting: Served) -> None:
    with visit(chromium, quoting) as page:
        ask(page, QUESTION)
        expect(page.get_by_text("Every claim is supported by the documents")).to_be_visible()
        for _ in range(3):
            # Opened, closed, opened again: noted once.
            page.get_by_text("Whole passage").click()
        expect(page.locator("mark")).to_be_visible()
        expect(page.locator("mark")).to_contain_text("30 working days")
        page.locator("a.plumb-chip").click()
        expect(page.locator(".plumb-source:target")).to_have_count(1)
        page.get_by_test_id("stFeedback").locator("button").nth(1).click()
        page.get_by_role("button", name="Outdated").click()
        page.get_by_placeholder("What was wrong?").fill("out of date")
        page.get_by_label("The right answer").fill("31 working days.")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_text("Saved")).to_be_visible()
        ask(page, "Who won the football championship?")
        expect(page.get_by_text("The documents don't hold the answer")).to_be_visible()
        expect(page.get_by_label("The right answer")).to_have_value("31 working days.")
        page.get_by_role("link", name="Triage").click()
        page.get_by_test_id("stExpander").get_by_text(QUESTION).click()
        page.get_by_role("button", name="Trace ").click()
        expect(page.get_by_role("heading", name=QUESTION)).to_be_visible()
        expect(page.get_by_text("out of date")).to_be_visible()
        # The page forgets widgets that another page does not draw.
        page.get_by_role("link", name="Chat").click()
        expect(page.get_by_role("button", name="Outdated", pressed=True)).to_be_visible()
        expect(page.get_by_label("The right answer")).to_have_value("31 working days.")
    rated = quoting.spool.traces(Filter(name="ask", rated="any"))
    assert [(row.question, row.rating, row.comment) for row in rated] == [(QUESTION, False, "out of date")]
    (said,) = quoting.spool.feedback(rated[0].id)
    assert (said.reasons, said.correction) == (("outdated",), "31 working days.")
    assert quoting.spool.signals(rated[0].id) == ["opened"]


def test_a_cited_passage_is_shown_on_its_page(chromium: Browser, tmp_path: Path) -> None:
    folder = write_project(tmp_path / "placed", documents={})
    page_of = canvas.Canvas(str(folder / "docs" / "boat.pdf"), pagesize=(600, 400))
    page_of.drawString(72, 300, "The anchor of the boat weighs 12 kilograms.")
    page_of.save()
    fill(folder)
    with serve(folder) as served, visit(chromium, served) as page:
        ask(page, "How much does the anchor of the boat weigh?")
        shown = page.get_by_text("Show [1] on page 1")
        expect(shown).to_be_visible()
        assert page.locator(".stChatMessage img").count() == 0
        shown.click()
        picture = page.locator(".stChatMessage img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.naturalWidth") == 1200
        assert [served.spool.signals(row.id) for row in served.spool.traces(Filter(name="ask"))] == [["opened"]]
        screenshot(page, "page-picture")
        (folder / "docs" / "boat.pdf").write_bytes(b"another")
        shown.click()
        expect(picture).to_have_count(0)


def test_details_tell_the_steps_and_the_trace(chromium: Browser, quoting: Served) -> None:
    with visit(chromium, quoting) as page:
        ask(page, QUESTION)
        page.get_by_text("Details", exact=True).click()
        expect(page.locator(".plumb-steps")).to_contain_text("retrieve")
        expect(page.get_by_test_id("stCode")).to_contain_text(quoting.spool.traces(Filter(name="ask"))[0].id)


def test_nothing_that_a_model_or_server_says_is_fetched(chromium: Browser, scripted: Served) -> None:
    with visit(chromium, scripted) as page:
        ask(page, "hostile: how much leave?")
        expect(page.locator(".plumb-answer")).to_contain_text("<img src=http://tracker.test/a.png>")
        expect(page.locator("blockquote")).to_contain_text('<img src="http://tracker.test/q.png">')
        ask(page, "broken")
        expect(page.get_by_test_id("stAlert")).to_contain_text("refused ![c]")
        assert page.locator(".stChatMessage img").count() == 0


def test_an_answer_can_be_stopped_and_the_next_one_comes(chromium: Browser, scripted: Served) -> None:
    with visit(chromium, scripted) as page:
        ask(page, "slow: how much leave?")
        stop = page.get_by_test_id("stChatMessage").get_by_role("button", name="Stop")
        stop.click()
        expect(page.get_by_text("Stopped before the answer was finished")).to_be_visible(timeout=3_000)
        ask(page, "slow: how much annual leave?")
        expect(stop).to_be_visible()
        expect(page.get_by_text("Every claim is supported by the documents")).to_be_visible()
    assert [row.status for row in scripted.spool.traces(Filter(name="ask"), limit=2)] == ["ok", "abandoned"]


def test_a_conversation_outlives_its_page_and_stays_in_its_browser(chromium: Browser, quoting: Served) -> None:
    with visit(chromium, quoting) as page:
        ask(page, QUESTION)
        expect(page.get_by_text("Every claim is supported by the documents")).to_be_visible()
        # The side bar is drawn before the answer, and anew after it.
        kept = page.locator(".st-key-plumb-earlier").get_by_role("button", name="How many working")
        expect(kept).to_be_visible()
        page.reload()
        expect(page.get_by_text("Every claim is supported by the documents")).to_be_visible()
        with_other = page.context.new_page()
        with_other.goto(quoting.url)
        other = with_other.locator(".st-key-plumb-earlier").get_by_role("button", name="How many working")
        other.click()
        expect(with_other.get_by_text("Every claim is supported by the documents")).to_be_visible()
        address = page.url
        screenshot(page, "conversation")
        with visit(chromium, replace(quoting, url=address)) as stranger:
            expect(stranger.locator(".plumb-brand")).to_be_visible()
            assert stranger.get_by_test_id("stChatMessage").count() == 0
            assert stranger.get_by_role("button", name="How many working").count() == 0
        page.get_by_role("button", name="Delete", exact=True).click()
        dialog = page.get_by_role("dialog", name="Delete this conversation?")
        expect(dialog).to_be_visible()
        screenshot(page, "delete")
        escape_from(dialog)
        expect(kept).to_be_visible()
        page.get_by_role("button", name="Delete", exact=True).click()
        dialog.get_by_role("button", name="Delete it").click()
        expect(kept).to_have_count(0)
        expect(page.get_by_text("Ask about your documents")).to_be_visible()
        with_other.close()


def test_a_visitor_adds_a_document_and_asks_about_it(chromium: Browser, tmp_path: Path) -> None:
    folder = write_project(tmp_path / "adding", config="[ui]\nupload = true\n")
    fill(folder)
    bicycles = b"Bicycles\n\nThe blue bicycle of the company stands in the cellar of building nine.\n"
    with serve(folder) as served, visit(chromium, served) as page:
        page.get_by_text("Add documents").click()
        page.get_by_test_id("stFileUploader").locator("input").set_input_files(
            [
                {"name": "bicycles.txt", "mimeType": "text/plain", "buffer": bicycles},
                {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 nothing"},
            ]
        )
        page.get_by_role("button", name="Add to the index").click()
        expect(page.get_by_text(re.compile("of 2 read"))).to_be_visible()
        screenshot(page, "uploading")
        expect(page.get_by_text("bicycles.txt: 1 passage")).to_be_visible()
        expect(page.get_by_text(re.compile(r"^broken\.pdf: "))).to_be_visible()
        expect(page.locator(".plumb-side")).to_contain_text("3 passages")
        screenshot(page, "uploaded")
        ask(page, "Where does the blue bicycle of the company stand?")
        expect(page.locator("blockquote")).to_contain_text("building nine")


@pytest.mark.model
def test_the_local_model_answers_in_the_browser(chromium: Browser, tmp_path: Path) -> None:
    folder = write_project(tmp_path / "real")
    (folder / "plumbline.toml").write_text("")
    fill(folder)
    with serve(folder) as served, visit(chromium, served) as page:
        ask(page, QUESTION)
        expect(page.locator(".plumb-answer")).to_contain_text("30", timeout=300_000)
        expect(page.get_by_text("Every claim is supported by the documents")).to_be_visible(timeout=300_000)
        expect(page.locator("blockquote")).to_contain_text("30 working days")


def test_a_visitor_finds_what_the_proxy_says_is_theirs(chromium: Browser, tmp_path: Path) -> None:
    rule = '[[ingest.labels]]\ndocuments = "docs/leave.txt"\nreaders = ["group:people"]\n'
    headers = '[ui]\nuser_header = "X-User"\ngroups_header = "X-Groups"\n'
    folder = write_project(tmp_path / "labelled", config=rule + headers)
    fill(folder)
    with serve(folder) as served:
        port = urlsplit(served.url).port or 0
        for groups, sentence in (
            ("legal, people", "Every claim is supported by the documents"),
            ("legal", "The documents don't hold the answer"),
        ):
            with (
                proxied(port, {"X-User": "ada", "X-Groups": groups}) as url,
                visit(chromium, Served(url=url, spool=served.spool)) as page,
            ):
                ask(page, QUESTION)
                expect(page.get_by_text(sentence)).to_be_visible()
                expect(page.locator(".plumb-side")).to_contain_text("ada, group legal")
                assert ("30 working days" in page.content()) is ("people" in groups)
        assert {
            served.spool.trace(row.id).attributes["user_id"] for row in served.spool.traces(Filter(name="ask"))
        } == {"ada"}
