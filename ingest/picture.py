"""A passage on the picture of its page: what a citation points at, drawn from the document it came from."""

from __future__ import annotations

from contextlib import closing

from ingest import content_hash
from ingest.isolate.messages import Drawing, Setup
from ingest.isolate.process import ParsingProcess
from ingest.library import Library
from rag.errors import DocumentError
from rag.settings import Settings
from rag.types import Chunk


def passage_picture(chunk: Chunk, *, settings: Settings) -> bytes:
    """The page of a passage as a PNG, the passage marked, drawn by a process apart within the limits of parsing.

    Raises DocumentError where the passage has no place on a page, its document is no file on this machine any more or
    changed since, or can't be drawn; StoreError when the manifest can't be read.
    """
    if not chunk.boxes:
        raise DocumentError(
            f"this passage of {chunk.uri} has no place on a page",
            expected="one of a PDF or a picture, read by this version",
            remedy="'plumb library reparse' reads a document again",
        )
    record = Library(settings).manifest.records().get(chunk.uri)
    path = settings.root / chunk.uri
    if record is None or record.revision != chunk.revision or not path.is_file():
        raise DocumentError(
            f"{chunk.uri} is not here as it was when the passage was read",
            expected="the same file on this machine",
            remedy="ingest it again",
        )
    # Only what was ingested is read: the name alone could have been made to lead elsewhere since.
    if content_hash.of_file(path) != record.hash:
        raise DocumentError(f"{chunk.uri} changed since it was read", remedy="ingest it again")
    with closing(ParsingProcess(Setup(settings=settings, max_tokens=settings.ingest.chunk_tokens))) as process:
        return process.drawn(Drawing(path=path, uri=chunk.uri, page=chunk.page or 1, boxes=chunk.boxes))
