"""A passage on the picture of its page: what a citation points at, drawn from the document it came from."""

from __future__ import annotations

from contextlib import closing

from ingest.chunk import asking_nobody
from ingest.isolate.messages import Drawing, Setup
from ingest.isolate.process import ParsingProcess
from ingest.library import Library
from rag.errors import DocumentError
from rag.settings import Settings
from rag.types import Chunk


def passage_picture(chunk: Chunk, *, settings: Settings, is_part: bool = False) -> bytes:
    """The page of a passage as a PNG, the passage marked, drawn by a process apart within the limits of parsing.

    With `is_part`, no more of the page than what is around the passage. Raises DocumentError where the passage has no
    place on a page, its document is no file on this machine any more or changed since, or can't be drawn; StoreError
    when the manifest can't be read.
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
    setup = Setup(settings=asking_nobody(settings), max_tokens=settings.ingest.chunk_tokens)
    wanted = Drawing(
        path=path, uri=chunk.uri, hash=record.content, page=chunk.page or 1, boxes=chunk.boxes, is_part=is_part
    )
    with closing(ParsingProcess(setup)) as process:
        return process.drawn(wanted)
