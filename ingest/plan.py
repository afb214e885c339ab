"""What an ingest would do, how long it would take and what it would cost: nothing is embedded and nothing written."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.cache import VectorCache
from ingest.chunk import asking_nobody
from ingest.isolate.messages import Part, Refused
from ingest.library import Library
from ingest.pipeline import PIPELINE_VERSION, missing_extras
from ingest.progress import Document, Outcome, Started
from ingest.reading import Gone, Message, Reader, Same
from ingest.sources import discover, ignored, open_sources, vanished
from rag.index import Index, open_index
from rag.settings import Settings

# So many chunks are embedded by a local model to learn its speed.
SAMPLE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The documents by what would become of them, and the chunks to be written; those of 'semantic' as by 'title'.

    `chunks_to_embed` of them have no known vector and hold `tokens_to_embed` tokens. `seconds` is a guess from the
    speed of a sample, None for a model on a server; `price` is tokens times ingest.price_per_million_tokens. `ignored`
    and `missing_extras` are as in a Report.
    """

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    chunks: int = 0
    chunks_to_embed: int = 0
    tokens_to_embed: int = 0
    seconds: float | None = None
    price: float = 0.0
    ignored: Mapping[str, int] = field(default_factory=dict)
    missing_extras: Mapping[str, int] = field(default_factory=dict)


def plan(places: Sequence[str | Path], *, settings: Settings) -> Iterator[Started | Document | Plan]:
    """Read and cut the documents as an ingest would; the Plan comes last. Raises InputError and StoreError."""
    library = Library(settings)
    sources = open_sources([str(place) for place in places], settings=settings)
    items = discover(sources, known=library.places(), max_documents=settings.ingest.max_documents)
    index = open_index(settings, version=library.version)
    yield Started(documents=len(items), version=library.version, differs=library.differs(PIPELINE_VERSION))
    records, failures = library.manifest.records(), library.manifest.failures()
    unknown = VectorCache.of(settings).unknown(index.embedder.name)
    outcomes, extras, made, sample = Counter[Outcome](), Counter[str](), Plan(), list[str]()
    reader = Reader(replace(index, settings=asking_nobody(index.settings)), records=records, failures=failures)
    with closing(reader.messages(items)) as messages:
        for message in messages:
            if isinstance(message, Part):
                texts = unknown([chunk.indexed_text for chunk in message.chunks])
                made = _grown(made, message, texts, index)
                sample = [*sample, *texts][:SAMPLE]
            if document := _document(message, is_known=_uri(message) in records):
                outcomes[document.outcome] += 1
                extras.update(filter(None, [document.extra]))
                yield document
    left_out = ignored(sources)
    gone = [uri for uri in vanished(sources, items, known=library.places()) if uri in records]
    yield replace(
        made,
        added=outcomes["added"],
        replaced=outcomes["replaced"],
        unchanged=outcomes["unchanged"],
        failed=outcomes["failed"],
        removed=len(gone) + outcomes["removed"],
        seconds=_seconds(made, sample, index),
        price=made.tokens_to_embed * settings.ingest.price_per_million_tokens / 1e6,
        ignored=left_out,
        missing_extras=missing_extras(extras, left_out),
    )


def _uri(message: Message) -> str:
    match message:
        case Same(record=record):
            return record.uri
        case Gone(uri=uri):
            return uri
        case _:
            return message.job.uri


def _document(message: Message, *, is_known: bool) -> Document | None:
    """What would become of the document, once that is certain."""
    match message:
        case Same(record=record):
            return Document(uri=record.uri, outcome="unchanged", chunks=record.chunks)
        case Gone(uri=uri) if is_known:
            return Document(uri=uri, outcome="removed")
        case Refused(job=job, reason=reason):
            return Document(uri=job.uri, outcome="failed", reason=reason, extra=message.extra)
        case Part(is_last=True, job=job, chunks=chunks):
            outcome: Outcome = "replaced" if is_known else "added"
            return Document(uri=job.uri, outcome=outcome, chunks=chunks[-1].position + 1)
    return None


def _grown(made: Plan, part: Part, texts: Sequence[str], index: Index) -> Plan:
    tokens = sum(index.embedder.count(text) for text in texts)
    return replace(
        made,
        chunks=made.chunks + len(part.chunks),
        chunks_to_embed=made.chunks_to_embed + len(texts),
        tokens_to_embed=made.tokens_to_embed + tokens,
    )


def _seconds(made: Plan, sample: Sequence[str], index: Index) -> float | None:
    if not index.embedder.name.startswith(("local:", "scripted:")):
        return None
    if not sample:
        return 0.0
    index.embedder.embed(sample[:1])
    started = time.perf_counter()
    index.embedder.embed(sample)
    return made.chunks_to_embed * (time.perf_counter() - started) / len(sample)
