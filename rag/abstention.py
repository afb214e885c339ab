"""What the user reads instead of an answer: why there is none, what was looked for, what came closest."""

from __future__ import annotations

from collections.abc import Sequence

from rag.fence import on_a_line
from rag.language import Phrases
from rag.types import Hit

CLOSEST = 3
QUERY_CHARS = 200


def abstention(query: str, hits: Sequence[Hit], said: Phrases, *, tried: bool) -> str:
    """The text; `tried` tells that the model wrote an answer that could not be confirmed."""
    told = f"{why(hits, said, tried=tried)} {searched(query, said)}"
    closest = list(dict.fromkeys(f"{hit.chunk.title} ({hit.chunk.uri})" for hit in hits))[:CLOSEST]
    return f"{told} {said.closest} {'; '.join(closest)}." if closest else told


def why(hits: Sequence[Hit], said: Phrases, *, tried: bool) -> str:
    """Why there is no answer."""
    if not hits:
        return said.nothing
    return said.unconfirmed if tried else said.missing


def searched(query: str, said: Phrases) -> str:
    """What was looked for, shortened."""
    whole = on_a_line(query)
    return said.searched.format(whole if len(whole) <= QUERY_CHARS else f"{whole[: QUERY_CHARS - 1].rstrip()}…")
