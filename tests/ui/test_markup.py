"""Whatever a document or a model says, the page shows characters."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ui.markup import answer_html, highlighted_html, literal

HARMLESS = set(
    "div p br hr em strong code pre ul ol li blockquote h1 h2 h3 h4 h5 h6 table thead tbody tr th td a".split()
)
HOSTILE = [
    "![x](http://tracker.test/x.png)",
    "[click](javascript:alert(1))",
    "<http://tracker.test>",
    "<img src=x onerror=alert(1)>",
    "[a]\n\n[a]: http://tracker.test",
    "<script>alert(1)</script>",
    "`<b>` **<i>** | a |\n|---|\n| <u> |",
    "&lt;script&gt; &#60;img&#62;",
    "```html\n<img>\n```",
]
TEXT = st.one_of(st.text(), st.lists(st.sampled_from([*HOSTILE, "[1]", "\n", "*", "_", "`", " "])).map("".join))


class Tags(HTMLParser):
    """Collects the tags and attributes of an HTML text, and its characters."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(TEXT)
def test_an_answer_has_only_harmless_tags(text: str) -> None:
    drawn = Tags(answer_html(text, markers={1}, anchor="source"))
    assert drawn.tags <= HARMLESS
    assert {value for name, value in drawn.attributes if name in ("href", "src")} <= {"#source-1"}
    assert not [name for name, _ in drawn.attributes if name.startswith("on") or name == "src"]


def test_an_answer_keeps_its_emphasis_lists_and_tables() -> None:
    drawn = Tags(answer_html("**Yes** [1]:\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |", markers={1}, anchor="s"))
    assert {"strong", "ul", "table", "a"} <= drawn.tags
    assert ("href", "#s-1") in drawn.attributes


def test_a_marker_without_a_source_stays_text() -> None:
    assert "[7]" in answer_html("So it is [7].", markers={1}, anchor="s")


@given(TEXT, st.integers(0, 20), st.integers(0, 20))
def test_a_highlighted_passage_shows_all_its_characters(text: str, start: int, length: int) -> None:
    plain = "".join(c for c in text if c.isprintable() or c == "\n")
    drawn = Tags(highlighted_html(plain, plain[start : start + length]))
    assert drawn.tags <= {"mark"}
    assert drawn.text == plain


@pytest.mark.parametrize("text", [*HOSTILE, "a_b*c* #1 ~x~ $y$ :red[z] \\n --force"])
def test_a_literal_shows_exactly_its_characters(text: str) -> None:
    drawn = MarkdownIt("commonmark").render(literal(text))
    assert unescape(drawn).strip() == f"<p>{' '.join(text.split())}</p>"
