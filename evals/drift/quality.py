"""Whether an answer is right: its parsed value held against what is expected."""

from __future__ import annotations

from evals.drift.canaries import Canary
from evals.drift.observation import Said
from evals.drift.parsers import parser_of
from evals.drift.same import is_same
from evals.saying import says


def is_right(canary: Canary, said: Said) -> float | None:
    """1 for a right answer, 0 for a wrong one and for one that can't be read; None where nothing is expected.

    A verdict that came with the answer decides. Code is compared without its fences, Python by its syntax tree: it is
    never run here, so code that does the same in other words counts as wrong unless a verdict says otherwise.
    """
    if said.graded is not None:
        return said.graded
    if not canary.expected:
        return None
    parser = parser_of(canary.parser)
    value = parser.read(canary.bare(said.text)).value
    if value is None:
        return 0.0
    if parser.rule == "text":
        return float(all(says(value, wording) for wording in canary.expected))
    return float(any(is_same(parser.rule, value, expected) for expected in canary.expected))
