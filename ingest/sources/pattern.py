"""Patterns of paths such as docs/**/*.md."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path

MAGIC = frozenset("*?[")
# Matches any number of folders, none included.
ANY_DEPTH = "**"


def is_pattern(path: Path) -> bool:
    """Whether a path has *, ? or [ in it, and is not simply the name of something."""
    return bool(MAGIC & set(str(path))) and not os.path.lexists(path)


def split(path: Path) -> tuple[Path, tuple[str, ...]]:
    """The fixed folder of a pattern, and the parts below it; a last ** stands for all files at any depth."""
    fixed = tuple(takewhile(lambda part: not MAGIC & set(part), path.parts))
    rest = path.parts[len(fixed) :]
    return Path(*fixed), (*rest, "*") if rest[-1] == ANY_DEPTH else rest


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a path match those of a pattern, upper and lower case being different."""
    if not pattern:
        return not parts
    if pattern[0] == ANY_DEPTH:
        return any(matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and matches(parts[1:], pattern[1:])
