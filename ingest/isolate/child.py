"""The parsing process: `python -m ingest.isolate.child FD`, started by `process.py`, ended with its connection.

A document that makes a parser hang, crash or eat memory takes this process with it, and nothing else.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

from ingest.chunk import chunk
from ingest.content_hash import of_bytes
from ingest.isolate.messages import READY, Job, Part, Refused, Setup, packed
from ingest.parse import Options, parse
from ingest.parse.encoding import storable
from ingest.parse.ocr import NeedsOcr
from ingest.sources.content import read
from rag.embed import make_counter
from rag.errors import DocumentError
from rag.types import Chunk

PART_CHUNKS = 64
# Of the document that is being read.
_WARNINGS: list[str] = []


class _Collector(logging.Handler):
    """Keeps what parsers warn of: nobody sees the output of this process."""

    def emit(self, record: logging.LogRecord) -> None:
        _WARNINGS.append(record.getMessage())


def main() -> None:
    """Answer jobs until the other end is closed."""
    logging.getLogger("plumbline").addHandler(_Collector(logging.WARNING))
    with Connection(int(sys.argv[1])) as connection:
        try:
            setup: Setup = connection.recv()
            count = make_counter(setup.settings)
            connection.send_bytes(READY)
            while True:
                job: Job = connection.recv()
                for message in _messages(job, setup, count):
                    connection.send_bytes(packed(message))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _messages(job: Job, setup: Setup, count: Callable[[str], int]) -> Iterator[Part | Refused]:
    content = ""
    _WARNINGS.clear()
    try:
        data = read(job.path, job.uri, setup.settings.ingest.max_file_mb * 1_000_000)
        content = of_bytes(data)
        revision = _revision(content, job.known_revision)
        parsed = parse(job.path, data, options=Options.from_settings(setup.settings.ingest))
        chunks = chunk(parsed, uri=job.uri, revision=revision, max_tokens=setup.max_tokens, count=count)
        for some, is_last in _in_parts(chunks):
            if not some:
                raise DocumentError(f"{job.uri} holds no text", expected="a document with text", remedy="remove it")
            yield Part(
                job=job,
                hash=content,
                revision=revision,
                bytes=len(data),
                chunks=some,
                is_last=is_last,
                warnings=tuple(_WARNINGS) if is_last else (),
            )
    except DocumentError as error:
        yield _refused(job, content, error)


def _revision(content: str, known: str) -> str:
    """A name for what is made of the content now: another one than the index has, should it be made anew."""
    return f"{content}-again" if content == known else content


def _in_parts(chunks: Iterator[Chunk]) -> Iterator[tuple[tuple[Chunk, ...], bool]]:
    """The chunks in groups, and with each whether it is the last."""
    some: list[Chunk] = []
    for one in chunks:
        if len(some) == PART_CHUNKS:
            yield tuple(some), False
            some = []
        some.append(one)
    yield tuple(some), True


def _refused(job: Job, content: str, error: DocumentError) -> Refused:
    if isinstance(error, NeedsOcr):
        # How to install it is said once, at the end of the run; and it may be there the next time.
        reason = storable(f"{error.seen}; expected {error.expected}")
        return Refused(job=job, hash=content, reason=reason, extra="ocr", retryable=True)
    return Refused(job=job, hash=content, reason=storable(str(error)))


if __name__ == "__main__":
    main()
