"""The parsing process: `python -m ingest.isolate.child FD`, started by `process.py`, ended with its connection.

A document that makes a parser hang, crash or eat memory takes this process with it, and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

from ingest.chunk import chunk
from ingest.content_hash import of_bytes
from ingest.isolate.messages import READY, Job, Part, Refused, Setup, packed
from ingest.parse import Options, parse
from ingest.sources.content import read
from rag.embed import make_counter
from rag.errors import DocumentError
from rag.types import Chunk

PART_CHUNKS = 64
# What compiled modules raise when there is no memory to load them.
_EXHAUSTED = (ImportError, SystemError)


def main() -> None:
    """Answer jobs until the other end is closed."""
    with Connection(int(sys.argv[1])) as connection:
        try:
            setup: Setup = connection.recv()
            _limit_memory(setup.settings.ingest.parse_memory_mb)
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
    try:
        data = read(job.path, job.uri, setup.settings.ingest.max_file_mb * 1_000_000)
        content = of_bytes(data)
        revision = _revision(content, job.known_revision)
        parsed = parse(job.path, data, options=Options.from_settings(setup.settings.ingest))
        chunks = chunk(parsed, uri=job.uri, revision=revision, max_tokens=setup.max_tokens, count=count)
        for some, is_last in _in_parts(chunks):
            if not some:
                raise DocumentError(f"{job.uri} holds no text", expected="a document with text", remedy="remove it")
            yield Part(job=job, hash=content, revision=revision, bytes=len(data), chunks=some, is_last=is_last)
    except DocumentError as error:
        if isinstance(error.__cause__, _EXHAUSTED):
            yield _too_large(job, setup, content)
        else:
            yield Refused(job=job, hash=content, reason=str(error))
    except MemoryError:
        yield _too_large(job, setup, content)


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


def _limit_memory(megabytes: int) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes * 1_000_000, hard))


def _too_large(job: Job, setup: Setup, content: str) -> Refused:
    limit = setup.settings.ingest.parse_memory_mb
    error = DocumentError(
        f"{job.uri} needs more memory than ingest.parse_memory_mb = {limit}", remedy="split it, or raise the limit"
    )
    return Refused(job=job, hash=content, reason=str(error), is_exhausted=True)


if __name__ == "__main__":
    main()
