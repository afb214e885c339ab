"""The pages for reviewing as a browser draws them, on a project's own answers: health, and traces side by side."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Served, choose_theme, screenshot, serve, visit
from pages import fill, write_project
from playwright.sync_api import Browser, Page, expect

from rag.engine import Engine
from rag.errors import ModelError
from rag.observe.spool import open_spool
from rag.settings import load_settings
from rag.types import Feedback

pytestmark = pytest.mark.browser
QUESTION = "How many working days of annual leave do full-time employees have?"
SCRIPT = [
    {"match": "Question: .*football", "reply": "NOT IN THE DOCUMENTS"},
    {"match": "Question: broken", "error": "refused"},
    {"match": "leave", "reply": "Full-time employees have 30 working days of paid annual leave per year [1]."},
]
PRICES = """
[candidates."scripted:{model}"]
price_in = {price}
price_out = 2
price_cached = 0
"""
# Bars of Vega that can be seen: one of nothing is a line of no length.
BARS = """chart => [...chart.querySelectorAll('path[aria-roledescription="bar"]')].filter(bar => {
  const box = bar.getBoundingClientRect();
  return box.width > 1 && box.height > 1;
}).length"""
TIMES = "steps => [...steps.querySelectorAll('.plumb-bar span')].map(bar => bar.getBoundingClientRect().width)"
# What the list has before and above its rows, and how high a row is, in pixels.
MARK_PX, ROW_PX = 15, 35
DAY_S = 86_400
# Three days, each with an answer that failed, which has no model, and two models, of which one answered both ways.
DRAWN = {
    "Answers, by day": 6,
    "Seconds an answer, by day": 6,
    "Cost, where it is known, by day": 3,
    "Percent of answers, by day": 4,
    "Answers, by model": 2,
    "Seconds an answer, by model": 4,
    "Cost, where it is known, by model": 2,
    "Percent of answers, by model": 2,
    "Cost, where it is known, by prompt": 5,
}


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page of a project that was used for three days, with two models whose prices are known."""
    prices = PRICES.format(model="script.json", price=1) + PRICES.format(model="quote", price=9)
    folder = write_project(tmp_path_factory.mktemp("ui") / "used", script=SCRIPT, config=prices)
    fill(folder)
    _use(folder)
    with serve(folder) as served:
        yield served


def _use(folder: Path) -> None:
    config = folder / "plumbline.toml"
    scripted = Engine.from_settings(load_settings(config))
    scripted.rate(Feedback(trace_id=scripted.ask(QUESTION).trace_id, up=False, comment="too short"))
    scripted.ask("Who won the football championship with leave?")
    with pytest.raises(ModelError):
        scripted.ask("broken: how many days of leave?")
    config.write_text(config.read_text().replace('answer = "scripted:script.json"', 'answer = "scripted:quote"'))
    Engine.from_settings(load_settings(config)).ask("Where is the printer room?")
    spool = open_spool(load_settings(config))
    for number, row in enumerate(spool.traces()):
        for days in range(1, 3):
            trace = spool.trace(row.id)
            at = {"started_at": trace.started_at - days * DAY_S, "ended_at": trace.ended_at - days * DAY_S}
            spool.add_trace(replace(trace, id=f"{days:016x}{number:016x}", **at))


def bars(page: Page, title: str) -> int:
    """How many bars the chart with this name shows, once it is drawn."""
    chart = page.get_by_label(title, exact=True)
    expect(chart.locator('path[aria-roledescription="bar"]').first).to_be_attached()
    drawn: int = chart.evaluate(BARS)
    return drawn


def test_health_is_drawn_by_day_model_and_prompt(chromium: Browser, used: Served) -> None:
    with visit(chromium, used) as page:
        page.set_viewport_size({"width": 1280, "height": 2800})
        page.get_by_role("link", name="Health").click()
        expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(12)
        drawn = {title: bars(page, title) for title in DRAWN}
        assert drawn == DRAWN
        for theme in ("Light", "Dark"):
            choose_theme(page, theme)
            assert bars(page, "Cost, where it is known, by day") == 3
            screenshot(page, f"{theme.lower()}-health")


def choose(page: Page, row: int) -> None:
    """Choose the trace in this row of the list, from 1, or let go of it."""
    page.locator(".dvn-scroller").click(position={"x": MARK_PX, "y": ROW_PX * row + ROW_PX // 2})


def test_two_traces_are_drawn_side_by_side(chromium: Browser, used: Served) -> None:
    with visit(chromium, used) as page:
        page.set_viewport_size({"width": 1280, "height": 2800})
        page.get_by_role("link", name="Traces").click()
        expect(page.get_by_text("Choose one to see it")).to_be_visible()
        for row in (1, 2):
            choose(page, row)
            expect(page.locator(".plumb-steps")).to_have_count(row)
        first, second = (page.locator(".plumb-steps").nth(place) for place in (0, 1))
        expect(first.locator("tr", has_text="retrieve")).to_be_visible()
        boxes = [steps.evaluate("steps => steps.getBoundingClientRect().toJSON()") for steps in (first, second)]
        assert boxes[1]["left"] >= boxes[0]["right"]
        for steps in (first, second):
            shown = steps.evaluate(TIMES)
            assert len(shown) > 2
            assert max(shown) > 10
        screenshot(page, "traces-side-by-side")


def test_a_trace_is_found_and_downloaded_as_the_command_prints_it(chromium: Browser, used: Served) -> None:
    with visit(chromium, used) as page:
        page.get_by_role("link", name="Traces").click()
        page.get_by_label("Words").fill(QUESTION)
        page.get_by_label("Words").press("Enter")
        expect(page.get_by_text("3 traces.")).to_be_visible()
        for typed, told in (("soon", "Until is 'soon'"), ("1d", "2 traces."), ("2999-01-01", "3 traces.")):
            page.get_by_role("combobox", name="Until").fill(typed)
            page.get_by_role("combobox", name="Until").press("Enter")
            expect(page.get_by_text(told)).to_be_visible()
        choose(page, 1)
        with page.expect_download() as found:
            page.get_by_role("button", name="Download as JSON").click()
        loaded = json.loads(found.value.path().read_text())
    config = str(used.spool.path.parents[1] / "plumbline.toml")
    command = [sys.executable, "-m", "rag.cli", "--config", config, "traces", loaded["id"], "--json"]
    assert json.loads(subprocess.check_output(command)) == loaded
    assert [said["comment"] for said in loaded["feedback"]] == ["too short"]
    assert "retrieve" in [step["name"] for step in loaded["steps"]]


def test_a_document_that_was_not_found_is_typed_into_the_case(chromium: Browser, used: Served) -> None:
    with visit(chromium, used) as page:
        page.set_viewport_size({"width": 1280, "height": 2800})
        page.get_by_role("link", name="Traces").click()
        expect(page.get_by_text("Choose one to see it")).to_be_visible()
        choose(page, 1)
        sources = page.get_by_test_id("stMultiSelect")
        for name in ("docs/lost.txt", "docs/gone.txt"):
            sources.locator("input").fill(name)
            sources.locator("input").press("Enter")
            expect(sources.get_by_text(name, exact=True)).to_be_visible()
        # While its list is open, the rest of the page is hidden.
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Make the case").click()
        expect(page.get_by_text("Added to cases.jsonl")).to_be_visible()
        expect(page.get_by_text("has the path 'docs/gone.txt'")).to_be_visible()
        expect(page.get_by_text("was made of it, and is confirmed")).to_be_visible()
        screenshot(page, "case")
        page.get_by_label("A right answer").fill("On floor seven.")
        page.get_by_role("button", name="Change the case").click()
        expect(page.get_by_text("Changed in cases.jsonl")).to_be_visible()
        expect(page.get_by_label("A right answer")).to_have_value("On floor seven.")
        expect(sources.get_by_text("docs/lost.txt", exact=True)).to_be_visible()
