"""What is on the page can be read on a light and on a dark one, and reached without a mouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import PATIENCE_MS, Served, ask, choose_theme, escape_from, screenshot, serve, visit
from contrast import Contrast, contrasts
from eval_runs import decide_on, make_runs
from eval_runs import script as known
from pages import fill, write_project
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser
QUESTION = "How many working days of annual leave do full-time employees have?"
# A supported claim, a contradicted one and an unsupported one, and, asked about football, one that is withheld.
SCRIPT = [
    {"match": "football", "reply": "The founder came from Mars in 1888."},
    {
        "match": "leave",
        "reply": "Employees have `30` working days of annual leave [1]. Employees have 31 working days of annual leave"
        " [1]. The founder came from Mars in 1888.",
    },
]
IS_DARK = "() => getComputedStyle(document.querySelector('.stApp')).colorScheme === 'dark'"
# WCAG 2.2, 1.4.3 for text and 1.4.11 for what else tells something.
READABLE, VISIBLE = 4.5, 3.0


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page whose model says what the passages don't, and on which documents can be added."""
    folder = write_project(tmp_path_factory.mktemp("ui") / "doubtful", script=SCRIPT, config="[ui]\nupload = true\n")
    fill(folder)
    with serve(folder) as served:
        yield served


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page of a project with two runs and what the gate said of them."""
    folder = write_project(tmp_path_factory.mktemp("ui") / "measured", script=known())
    fill(folder)
    decide_on(folder, *make_runs(folder))
    with serve(folder) as served:
        yield served


def settled(page: Page) -> list[Contrast]:
    """The contrasts of a page that no longer changes: what is new fades in, and some widgets load late."""
    before: list[Contrast] = []
    for _ in range(PATIENCE_MS // 500):
        page.wait_for_timeout(500)
        if len(found := contrasts(page)) > 10 and found == before:
            return found
        before = found
    raise AssertionError(f"the page has little text, or never came to rest: {before}")


def assert_readable(page: Page, name: str) -> None:
    found = settled(page)
    screenshot(page, name)
    assert [one for one in found if one.ratio < (VISIBLE if one.text == "(bar)" else READABLE)] == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_text_can_be_read(chromium: Browser, doubtful: Served, theme: str) -> None:
    with visit(chromium, doubtful) as page:
        choose_theme(page, theme)
        page.set_viewport_size({"width": 1280, "height": 1600})
        page.get_by_text("Add documents").click()
        ask(page, "How much leave?")
        expect(page.get_by_text("1 of 3 claims are supported")).to_be_visible()
        page.get_by_text("Whole passage").click()
        page.get_by_text("Details", exact=True).click()
        page.get_by_test_id("stFeedback").locator("button").nth(1).click()
        expect(page.get_by_placeholder("What was wrong?")).to_be_visible()
        assert_readable(page, f"{theme.lower()}-answer")
        assert page.evaluate(IS_DARK) is (theme == "Dark")
        assert {"(bar)", "What was wrong?", "Today"} <= {one.text for one in contrasts(page)}
        ask(page, "Who won the football championship?")
        page.locator(".plumb-close summary").first.click()
        assert_readable(page, f"{theme.lower()}-declined")
        page.get_by_role("link", name="Traces").click()
        expect(page.get_by_text("Choose one to see it")).to_be_visible()
        assert_readable(page, f"{theme.lower()}-traces")


def test_what_turned_can_be_read_and_leads_to_its_trace(chromium: Browser, measured: Served) -> None:
    with visit(chromium, measured) as page:
        page.set_viewport_size({"width": 1280, "height": 4000})
        page.get_by_role("link", name="Evals").click()
        for theme in ("Light", "Dark"):
            expect(page.get_by_text("What was promoted")).to_be_visible()
            choose_theme(page, theme)
            assert_readable(page, f"{theme.lower()}-evals")
        page.get_by_role("button", name="Trace").first.click()
        expect(page.get_by_role("heading", name="Traces")).to_be_visible()
        expect(page.get_by_text("retrieve", exact=True)).to_be_visible()


def focused(page: Page) -> str:
    told: str = page.evaluate(
        "() => { const e = document.activeElement; if (e.matches('body, main')) return e.tagName;"
        " return e.getAttribute('aria-label') || e.innerText || e.placeholder || e.tagName; }"
    )
    return told


def tab_to(page: Page, name: str) -> None:
    """Go on with the Tab key until what is called so has the focus."""
    passed = []
    while name not in (now := focused(page)):
        passed.append(now)
        assert len(passed) < 60, f"never reached: {name} after {passed}"
        page.keyboard.press("Tab")


def test_all_can_be_done_without_a_mouse(chromium: Browser, quoting: Served) -> None:
    with visit(chromium, quoting) as page:
        tab_to(page, "New conversation")
        tab_to(page, "Ask about the documents")
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Every claim is supported by the documents")).to_be_visible()
        for name in ("How many working", "Rename", "Delete", "Edit"):
            tab_to(page, name)
        # The citation's number leads to its source; from there the passage is next.
        page.keyboard.press("Tab")
        assert focused(page) == "1"
        screenshot(page, "focus")
        assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect(page.locator(".plumb-source:target")).to_have_count(1)
        page.keyboard.press("Tab")
        assert "Whole passage" in focused(page)
        page.keyboard.press("Enter")
        expect(page.locator("mark")).to_be_visible()
        tab_to(page, "Copy")
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
        escape_from(page.get_by_test_id("stPopoverBody"))
        for name in ("Regenerate", "Thumbs up", "Details", "Ask about the documents"):
            tab_to(page, name)
