"""Whether the value of an answer is the expected one, and whether any answer could have that."""

from __future__ import annotations

import ast
import json
import math
import re

from evals.drift.parsers import Parser


def is_same(rule: str, value: str, expected: str) -> bool:
    """Whether a value that this rule read is the expected one; code by its syntax tree, where it is Python."""
    match rule:
        case "number":
            return math.isclose(_float(value), _float(expected), rel_tol=1e-9)
        case "json":
            return _json(value) == _json(expected)
        case "code":
            return _code(value) == _code(expected)
        case _:
            return _bare(value) == _bare(expected)


def missing(parser: Parser, expected: str) -> str:
    """What the parser reads in the place of an expected value that it never reads; '' for one that it may."""
    match parser.rule:
        case "label" if _bare(expected) not in map(_bare, parser.labels):
            return f"one of {', '.join(parser.labels)}"
        case "choice" if not re.fullmatch("[a-z]", _bare(expected)):
            return "one letter, as B"
        case "number" if not math.isfinite(_float(expected)):
            return "a number, as 28 or 0.38"
        case "json" if not isinstance(_json(expected), dict | list):
            return "a JSON object or list"
        case _:
            return ""


def _bare(text: str) -> str:
    return text.strip(" ().").casefold()


def _float(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return math.nan


def _json(text: str) -> object:
    try:
        told: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return told


def _code(text: str) -> str:
    try:
        return ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "".join(text.split())
