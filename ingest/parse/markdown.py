"""Markdown, read with markdown-it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from ingest.parse.elements import Element, Parsed
from ingest.parse.encoding import decode
from ingest.parse.tables import table_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(.+)$", re.MULTILINE | re.IGNORECASE)
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|<[^<>]*>", re.DOTALL)


def parse_markdown(data: bytes) -> Parsed:
    """Headings, paragraphs, lists, tables and code of a Markdown file; a front matter's title names it."""
    text = decode(data)
    front = _FRONT_MATTER.match(text)
    head = front.group(1) if front else ""
    title = _FRONT_TITLE.search(head)
    body = text[front.end() :] if front else text
    tokens = _reader().parse(body)
    elements = [Element(kind="text", text=head)] if head.strip() else []
    elements += [element for element in _elements(iter(tokens)) if element.text.strip()]
    return Parsed(title=title.group(1).strip(" \"'") if title else "", elements=tuple(elements))


@cache
def _reader() -> MarkdownIt:
    """Made once: that takes as long as reading a short document."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table")


def _elements(tokens: Iterator[Token]) -> Iterator[Element]:
    for token in tokens:
        match token.type:
            case "heading_open":
                yield Element(kind="title", text=_plain(next(tokens)), level=int(token.tag[1]))
            case "inline":
                yield Element(kind="text", text=_plain(token))
            case "fence" | "code_block":
                yield Element(kind="code", text=token.content.rstrip("\n"))
            case "html_block":
                yield Element(kind="text", text=_untagged(token.content))
            case "table_open":
                yield Element(kind="table", text=table_text(_rows(tokens)))
            case "bullet_list_open" | "ordered_list_open":
                yield Element(kind="list", text="\n".join(_list_lines(token, tokens)))


def _rows(tokens: Iterator[Token]) -> list[list[str]]:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline":
            rows[-1].append(_plain(token))
    return rows


def _list_lines(opening: Token, tokens: Iterator[Token]) -> Iterator[str]:
    """The lines of a list, nested ones indented, whatever stands in its items."""
    indent, marker = 0, ""
    for token in tokens:
        if token.type.endswith("_list_open"):
            indent += 2
        elif token.type.endswith("_list_close"):
            if token.level == opening.level:
                return
            indent -= 2
        elif token.type == "list_item_open":
            marker = f"{token.info}{token.markup} " if token.info else "- "
        elif text := _item_text(token, tokens):
            yield f"{' ' * indent}{marker}{text}"
            marker = ""


def _item_text(token: Token, tokens: Iterator[Token]) -> str:
    if token.type == "table_open":
        return table_text(_rows(tokens))
    if token.type == "inline":
        return _plain(token)
    return _untagged(token.content) if token.type == "html_block" else token.content.rstrip("\n")


def _plain(inline: Token) -> str:
    return "".join(_pieces(inline.children or ())).strip()


def _pieces(children: Iterable[Token]) -> Iterator[str]:
    for child in children:
        match child.type:
            case "softbreak":
                yield " "
            case "hardbreak":
                yield "\n"
            case "html_inline":
                yield "\n" if child.content.lower().startswith("<br") else ""
            case _:
                yield child.content


def _untagged(source: str) -> str:
    lines = html.unescape(_TAG.sub(" ", source)).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())
