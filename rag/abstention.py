"""What the user reads instead of an answer: why there is none, what was looked for, what came closest."""

from __future__ import annotations

from collections.abc import Sequence

from rag.fence import on_a_line
from rag.language import Phrases
from rag.types import Abstention, Hit

CLOSEST = 3
QUERY_CHARS = 200


def told(kind: Abstention, query: str, hits: Sequence[Hit], said: Phrases) -> str:
    """The text."""
    reason = f"{why(kind, hits, said)} {searched(query, said)}"
    closest = list(dict.fromkeys(f"{hit.chunk.title} ({hit.chunk.uri})" for hit in hits))[:CLOSEST]
    return f"{reason} {said.closest} {'; '.join(closest)}." if closest else reason


def why(kind: Abstention, hits: Sequence[Hit], said: Phrases) -> str:
    """Why there is no answer."""
    reasons = {"missing": said.missing, "unconfirmed": said.unconfirmed, "beside": said.beside}
    return reasons[kind] if hits else said.nothing


def searched(query: str, said: Phrases) -> str:
    """What was looked for, shortened."""
    whole = on_a_line(query)
    return said.searched.format(whole if len(whole) <= QUERY_CHARS else f"{whole[: QUERY_CHARS - 1].rstrip()}…")
