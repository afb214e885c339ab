"""Text from outside as HTML or Markdown that can do nothing: no images, no links, no raw HTML."""

from __future__ import annotations

import re
from collections.abc import Collection, MutableMapping, Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

MARKER = re.compile(r"\[(\d{1,3})\]")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
FORBIDDEN = ["image", "link", "autolink", "html_block", "html_inline", "reference"]


def text_html(text: str) -> str:
    """A text as HTML that shows exactly its characters."""
    return escape(CONTROL.sub("", text))


def answer_html(text: str, *, markers: Collection[int] = (), anchor: str = "") -> str:
    """What a model wrote as HTML: emphasis, lists, tables and code are drawn, everything else is plain text.

    Each [n] of `markers` leads to the element called `anchor`-n.
    """
    html: str = _MARKDOWN.render(CONTROL.sub("", text), {"markers": markers, "anchor": anchor})
    return f'<div class="plumb-answer">{html}</div>'


def claim_html(text: str) -> str:
    """One sentence that a model wrote as HTML: emphasis and code are drawn, everything else is plain text."""
    html: str = _MARKDOWN.renderInline(CONTROL.sub("", text), {"markers": (), "anchor": ""})
    return html


def highlighted_html(text: str, quote: str) -> str:
    """A passage as HTML, the quoted words marked where they stand in it."""
    begin = text.find(quote) if quote else -1
    if begin < 0:
        return text_html(text)
    end = begin + len(quote)
    return f"{text_html(text[:begin])}<mark>{text_html(quote)}</mark>{text_html(text[end:])}"


def literal(text: str) -> str:
    """A text as one line of Markdown that shows exactly its characters, for widgets that read Markdown."""
    return PUNCTUATION.sub(r"\\\1", " ".join(CONTROL.sub("", text).split()))


def _draw_text(tokens: Sequence[Token], index: int, _options: object, environment: MutableMapping[str, Any]) -> str:
    def chip(found: re.Match[str]) -> str:
        number = int(found[1])
        if number not in environment["markers"]:
            return found[0]
        return f'<a class="plumb-chip" href="#{environment["anchor"]}-{number}">{number}</a>'

    return MARKER.sub(chip, escape(tokens[index].content))


def _markdown() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable(FORBIDDEN)
    reader.add_render_rule("text", lambda _self, *drawn: _draw_text(*drawn))
    return reader


_MARKDOWN = _markdown()
