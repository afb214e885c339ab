"""A web page rewritten so that unstructured finds all of its text."""

from __future__ import annotations

from typing import Any

from ingest.parse.html_table import without_spans

# What it passes over, and what stands for it: text that was struck out is still there to be read.
_RENAMED = {"details": "div", "summary": "p", "del": "span", "figure": "div", "figcaption": "p"}
_LONGEST_LIST = 10_000


def laid_open(page: Any) -> Any:
    """The page with merged cells repeated, the numbers of ordered lists written out, and folded parts unfolded."""
    copy = without_spans(page)
    for node in copy.iter(*_RENAMED):
        node.tag = _RENAMED[node.tag]
    for ordered in copy.iter("ol"):
        _number(ordered)
    return copy


def _number(ordered: Any) -> None:
    stated = ordered.get("start", "1").strip()
    first = int(stated) if stated.isdecimal() and len(stated) < 6 else 1
    for number, item in enumerate(ordered.findall("li")[:_LONGEST_LIST], first):
        # Where the text begins in a paragraph of its own, the number belongs there.
        target = item
        while not (target.text or "").strip() and len(target) and target[0].tag in ("p", "span", "b", "strong", "a"):
            target = target[0]
        if (target.text or "").strip():
            target.text = f"{number}. {(target.text or '').lstrip()}"
