"""plumb as a process of its own, started by itself: the same code, whatever lies in the folder it starts in."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def command(words: Sequence[str]) -> list[str]:
    """The command line. Without -P, Python would look for our packages in the user's folder first."""
    return [sys.executable, "-P", "-m", "rag.cli", *words]


def environment(more: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """The variables of this process, by which the other one finds our packages, and more."""
    package = str(Path(__file__).parents[1])
    path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH")) if part)
    return {**os.environ, "PYTHONPATH": path, **(more or {})}
