"""Where documents come from: files, web pages, objects, LlamaIndex readers."""

from __future__ import annotations

from ingest.sources.listing import discover, ignored, vanished
from ingest.sources.places import open_source, open_sources
from ingest.sources.protocol import Item, Source, Vanished

__all__ = [
    "Item",
    "Source",
    "Vanished",
    "discover",
    "ignored",
    "open_source",
    "open_sources",
    "vanished",
]
