"""What a test takes from a source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ingest.sources import Item
from ingest.sources.content import read


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A document's bytes; `name` ends in its format."""

    name: Path
    data: bytes


def content(item: Item, *, max_bytes: int) -> Content:
    """Fetch a document into memory; raises DocumentError and Vanished."""
    with item.fetch(max_bytes) as path:
        return Content(name=path, data=read(path, item.uri, max_bytes))
