"""Hits as the model reads them: widened to the larger passages that they were cut out of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.store.protocol import Store
from rag.types import Chunk, Hit, chunk_id


def widened(hits: Sequence[Hit], store: Store) -> list[Hit]:
    """Each hit with its parent's text in place of its own, and of several with one parent the best alone.

    A hit without a parent stays as it is, and so does one whose document is just being replaced. Raises StoreError.
    """
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(_siblings(hit.chunk)[0], hit)
    wanted = [identifier for hit in best.values() if hit.chunk.parent for identifier in _siblings(hit.chunk)]
    texts = {chunk.id: chunk.text for chunk in store.retrieve(wanted)} if wanted else {}
    return [_widened(hit, texts) for hit in best.values()]


def _siblings(chunk: Chunk) -> list[str]:
    """The ids of all chunks of the same parent, in order."""
    if chunk.parent is None:
        return [chunk.id]
    first, last = chunk.parent
    return [chunk_id(chunk.uri, chunk.revision, position) for position in range(first, last + 1)]


def _widened(hit: Hit, texts: dict[str, str]) -> Hit:
    parts = [texts[identifier] for identifier in _siblings(hit.chunk) if identifier in texts]
    if hit.chunk.parent is None or len(parts) <= hit.chunk.parent[1] - hit.chunk.parent[0]:
        return hit
    # Another index version has passages of the same ids: a switch may have come between search and reading.
    if texts[hit.chunk.id] != hit.chunk.text:
        return hit
    return replace(hit, chunk=replace(hit.chunk, text="\n".join(parts)))
