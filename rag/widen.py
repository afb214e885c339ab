"""Hits as the model reads them: widened to the passages that they were cut out of, or to those around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rag.scope import allows
from rag.store.protocol import Store
from rag.types import PUBLIC, Chunk, Hit, Scope, chunk_id


def widened(hits: Sequence[Hit], store: Store, *, neighbours: int = 0, scope: Scope = PUBLIC) -> list[Hit]:
    """Each hit with the text of its parent in place of its own, or with so many chunks before and after it.

    Only what is within the scope is read, and nothing twice: a hit that stands in the text of a better one is left out,
    and what a better one has is not repeated. A hit stays as it is where there is nothing around it, or where its
    document is just being replaced. Raises StoreError.
    """
    windows = _windows(hits, neighbours)
    wanted = [identifier for ids in windows if len(ids) > 1 for identifier in ids]
    found = store.retrieve(wanted) if wanted else []
    texts = {chunk.id: chunk.text for chunk in found if allows(scope, chunk)}
    return [_joined(hit, ids, texts) for hit, ids in zip(hits, windows, strict=True) if ids]


def _windows(hits: Sequence[Hit], neighbours: int) -> list[list[str]]:
    """For each hit the ids of the chunks that are read for it, in order; none where a better hit has it."""
    taken: set[str] = set()
    windows: list[list[str]] = []
    for hit in hits:
        free = [] if hit.chunk.id in taken else [one for one in _around(hit.chunk, neighbours) if one not in taken]
        taken.update(free)
        windows.append(free)
    return windows


def _around(chunk: Chunk, neighbours: int) -> list[str]:
    """The ids of all chunks of the same parent, in order; without one, of those beside it, if there are so many."""
    first, last = chunk.parent or (max(0, chunk.position - neighbours), chunk.position + neighbours)
    if first == last:
        return [chunk.id]
    return [chunk_id(chunk.uri, chunk.revision, position) for position in range(first, last + 1)]


def _joined(hit: Hit, ids: Sequence[str], texts: Mapping[str, str]) -> Hit:
    found = [texts[identifier] for identifier in ids if identifier in texts]
    if hit.chunk.parent and len(found) < len(ids):
        return hit
    # Another index version has chunks of the same ids: a switch may have come between search and reading.
    if texts.get(hit.chunk.id) != hit.chunk.text:
        return hit
    return replace(hit, chunk=replace(hit.chunk, text="\n".join(found)))
