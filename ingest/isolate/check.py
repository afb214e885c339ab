"""What a parsing process may tell of a document: its own chunks, one after the other, within the limits.

A child that a foreign document took over could else write over the chunks of other documents, or never end.
"""

from __future__ import annotations

from ingest.isolate.messages import Part, revision_of
from rag.sections import Ingest
from rag.types import Chunk, chunk_id

_INTEGER = 2**31


def require_own(part: Part, before: Part | None, *, limits: Ingest) -> None:
    """Raise ValueError for a part that can't come after `before`, or that is not of its job."""
    start = before.chunks[-1].position + 1 if before else 0
    end = start + len(part.chunks)
    is_named = part.revision == revision_of(part.hash, part.job.known_revision)
    is_same = before is None or (before.hash, before.bytes) == (part.hash, part.bytes)
    is_small = end <= limits.max_chunks and 0 <= part.bytes <= limits.max_file_mb * 1_000_000
    if not (part.chunks and is_named and is_same and is_small):
        raise ValueError("a part that does not belong to its document")
    for position, chunk in enumerate(part.chunks, start):
        if not (_is_at(chunk, part, position) and _is_in_range(chunk, limits)):
            raise ValueError("a chunk that does not belong to its document")


def _is_at(chunk: Chunk, part: Part, position: int) -> bool:
    uri, revision = part.job.uri, part.revision
    own = (uri, revision, position, chunk_id(uri, revision, position))
    return (chunk.uri, chunk.revision, chunk.position, chunk.id) == own


def _is_in_range(chunk: Chunk, limits: Ingest) -> bool:
    first, last = chunk.parent or (chunk.position, chunk.position)
    is_near = 0 <= first <= chunk.position <= last <= first + limits.parent_tokens
    return is_near and 0 <= (chunk.page or 0) < _INTEGER
