"""The steps of a trace as a table: parts stand below their whole."""

from __future__ import annotations

import re

from rag.types import Step
from ui.waterfall import steps_html


def step(name: str, begin: float, end: float, *, below: str | None = None) -> Step:
    return Step(id=name, parent_id=below, name=name, kind="span", started_at=begin, ended_at=end)


def test_parts_stand_below_their_whole_and_are_indented() -> None:
    shown = steps_html(
        [
            step("first", 0, 4),
            step("second", 1, 4),
            step("first-generate", 2, 4, below="first"),
            step("second-generate", 3, 4, below="second"),
            step("second-word", 3.5, 4, below="second-generate"),
            step("lost", 4, 5, below="unknown"),
        ]
    )
    assert re.findall(r'<td><span style="margin-left:(\d)em">([a-z-]+)', shown) == [
        ("0", "first"),
        ("1", "first-generate"),
        ("0", "second"),
        ("1", "second-generate"),
        ("2", "second-word"),
        ("0", "lost"),
    ]
