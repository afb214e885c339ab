"""The parsing process: `python -m ingest.isolate.child FD`, started by `process.py`, ended with its connection.

A document that makes a parser hang, crash or eat memory takes this process with it, and nothing else.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from ingest.chunk import Cut, chunk, make_cut
from ingest.content_hash import of_bytes
from ingest.isolate.messages import READY, Drawing, Job, Part, Refused, Setup, packed, revision_of
from ingest.parse import Options, parse
from ingest.parse.encoding import storable
from ingest.parse.ocr import NeedsOcr
from ingest.parse.pdf import Locked
from ingest.parse.picture import page_picture
from ingest.sources.content import read
from rag.embed import make_counter
from rag.errors import DocumentError, ModelError
from rag.types import Chunk

PART_CHUNKS = 64
# The run is to see first that a document takes too long.
_GRACE_S = 10.0
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
            cut = make_cut(setup.settings, max_tokens=setup.max_tokens, count=make_counter(setup.settings))
            connection.send_bytes(READY)
            while True:
                match connection.recv():
                    case Drawing() as wanted:
                        with _alarm(setup.settings.ingest.parse_timeout_s):
                            drawn = _drawn(wanted, setup)
                        connection.send_bytes(drawn)
                    case Job() as job:
                        for message in _in_time(_messages(job, setup, cut), setup.settings.ingest.parse_timeout_s):
                            connection.send_bytes(packed(message))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _messages(job: Job, setup: Setup, cut: Cut) -> Iterator[Part | Refused]:
    content = ""
    _WARNINGS.clear()
    try:
        data = read(job.path, job.uri, setup.settings.ingest.max_file_mb * 1_000_000)
        content = of_bytes(data)
        revision = revision_of(content, job.known_revision)
        parsed = parse(job.path, data, options=Options.from_settings(setup.settings.ingest))
        chunks = chunk(parsed, uri=job.uri, revision=revision, cut=cut)
        for some, is_last in _in_parts(chunks):
            _refuse_number(some, job.uri, setup.settings.ingest.max_chunks)
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
    except ModelError as error:
        # The chunking 'semantic' asks the embedder.
        yield Refused(job=job, hash=content, reason=str(error), retryable=True)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """End this process when what is done takes too long: the run that watches it may have been killed."""
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


def _in_time(messages: Iterator[Part | Refused], seconds: float) -> Iterator[Part | Refused]:
    """The messages, each within so many seconds."""
    while True:
        with _alarm(seconds):
            message = next(messages, None)
        if message is None:
            return
        yield message


def _drawn(wanted: Drawing, setup: Setup) -> bytes:
    """A PNG, or why there is none."""
    limits = setup.settings.ingest
    try:
        data = read(wanted.path, wanted.uri, limits.max_file_mb * 1_000_000)
        # Nothing but what was ingested is shown: the name could have been made to lead elsewhere since.
        if of_bytes(data) != wanted.hash:
            raise DocumentError(f"{wanted.uri} changed since it was read", remedy="ingest it again")
        options = Options.from_settings(limits)
        return page_picture(data, wanted.page, wanted.boxes, options=options, is_part=wanted.is_part)
    except DocumentError as error:
        return str(error).encode()


def _refuse_number(some: tuple[Chunk, ...], uri: str, most: int) -> None:
    if not some:
        raise DocumentError(f"{uri} holds no text", expected="a document with text", remedy="remove it")
    if some[-1].position >= most:
        raise DocumentError(
            f"{uri} becomes more chunks than {most:,}",
            expected=f"at most ingest.max_chunks = {most:,}",
            remedy="split it, or raise the limit",
        )


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
    return Refused(job=job, hash=content, reason=storable(str(error)), retryable=isinstance(error, Locked))


if __name__ == "__main__":
    main()
