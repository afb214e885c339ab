"""What a running question tells: stages, pieces of the answer, the Answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.llm.protocol import Restart
from rag.types import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The engine begins a part of its work."""

    name: Literal["retrieve", "generate", "vote", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of the answer as the model writes it, before it is checked."""

    text: str


# What comes before the Answer. After a Restart the pieces before it are void: the answer begins anew.
Progress = Stage | Delta | Restart
Event = Progress | Answer
