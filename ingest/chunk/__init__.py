"""Elements become chunks that fit the embedder's window."""

from __future__ import annotations

from collections.abc import Callable

from ingest.chunk.chunk import Cut, chunk
from rag.embed import make_embedder
from rag.settings import Settings

__all__ = ["Cut", "asking_nobody", "chunk", "make_cut"]


def make_cut(settings: Settings, *, max_tokens: int, count: Callable[[str], int]) -> Cut:
    """How `ingest.chunking` says documents are cut. Raises what `make_embedder` raises, for 'semantic'."""
    match settings.ingest.chunking:
        case "title":
            return Cut(max_tokens=max_tokens, count=count)
        case "sentence":
            from ingest.chunk import sentence

            return Cut(max_tokens=max_tokens, count=count, split=sentence.split(count))
        case "semantic":
            from ingest.chunk import semantic

            return Cut(max_tokens=max_tokens, count=count, split=semantic.split(make_embedder(settings), count))
        case "parent":
            return Cut(max_tokens=max_tokens, count=count, parent_tokens=settings.ingest.parent_tokens)


def asking_nobody(settings: Settings) -> Settings:
    """The settings with 'title' in place of 'semantic', which asks the embedder: that takes time and may cost money."""
    if settings.ingest.chunking != "semantic":
        return settings
    by_title = settings.ingest.model_copy(update={"chunking": "title"})
    return settings.model_copy(update={"ingest": by_title})
