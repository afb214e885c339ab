"""Fill the store: file -> bytes -> elements -> chunks -> vectors -> store. The only file that opens ingest spans.

Three things go on at once: processes parse and cut documents, this thread embeds groups of chunks, a writer stores
the group before.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ingest.cache import VectorCache
from ingest.cluster.gather import Complete, Done
from ingest.isolate.messages import Part, Refused
from ingest.library import Library
from ingest.manifest import Failure
from ingest.parse.formats import IMAGES
from ingest.patience import RETRY_AFTER_S, patiently
from ingest.progress import Document, Outcome, Progress, Report, Started, Waiting, counted
from ingest.reading import Gone, Message, Reader, Same, unmatched
from ingest.sources import Item, discover, ignored, open_sources, vanished
from ingest.sources.places import KIND
from ingest.writer import Writer
from rag.embed import Matrix
from rag.errors import ConfigError, PlumbError, StoreError
from rag.index import Index, open_index
from rag.observe.record import Recorder
from rag.observe.spool import open_spool
from rag.settings import Settings, redact_url
from rag.version import code_version

# Raised whenever parsing or chunking changes what a document becomes: an index version records its own.
PIPELINE_VERSION = 8
# Documents are embedded and written in groups of about so many chunks.
GROUP_CHUNKS = 512
# And after so long at the latest: what was recognised page by page must not wait for hours, nor be lost by a kill.
GROUP_S = 10.0
# Groups that wait to be written while the next is embedded.
WAITING_GROUPS = 2
# Failures that a trace tells by name.
TOLD_FAILURES = 100

Engine = Literal["local", "ray"]

log = logging.getLogger("plumbline")


def ingest(
    places: Sequence[str | Path],
    *,
    settings: Settings,
    version: str = "",
    anew: Collection[str] = (),
    engine: Engine = "local",
) -> Iterator[Progress]:
    """Bring the documents of some places into the index: new, changed and vanished ones; the rest is left alone.

    A place is a file, a folder, a pattern of paths, a web page, a sitemap or a bucket. The index is its live version,
    or the one named, which need not be there yet. Documents named in `anew` are parsed and written again though they
    did not change. The engine 'ray' reads, cuts, embeds and stores on a Ray cluster, into a Qdrant server.

    A document that can't be read is reported and the run goes on. A changed one answers as it was until it is written
    whole. What was finished stays when the run is interrupted, and the next one goes on from there. One run at a time
    fills an index; another waits for it. Raises InputError, StoreError and ModelError.
    """
    recorder = Recorder("ingest", question=[redact_url(str(place)) for place in places])
    tally = _Tally()
    try:
        library = Library(settings, version)
        tally.index = library.name
        wish = _Wish(places=[str(place) for place in places], anew=anew, engine=engine)
        report = yield from _run(wish, library, recorder, tally)
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        _keep(settings, recorder, tally, "abandoned")
        raise
    except PlumbError as error:
        _keep(settings, recorder, tally, "failed", error=str(error))
        raise
    # Here nothing is locked any more, and a caller who leaves with the report leaves nothing unfinished.
    _keep(settings, recorder, tally, "ok")
    yield report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What a run is asked for."""

    places: Sequence[str]
    anew: Collection[str]
    engine: Engine

    @property
    def there(self) -> list[str]:
        """The places as they are called wherever they are read: a worker of a cluster stands in another folder."""
        if self.engine == "local":
            return list(self.places)
        # abspath and not resolve(), which would follow links.
        return [place if KIND.match(place) else os.path.abspath(place) for place in self.places]  # noqa: PTH100


@dataclass(slots=True)
class _Tally:
    """What happened so far, in a size that does not grow with the documents."""

    index: str = ""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    chunks: int = 0
    failures: list[Document] = field(default_factory=list)
    missing_extras: Counter[str] = field(default_factory=Counter)

    def add(self, document: Document) -> None:
        self.outcomes[document.outcome] += 1
        self.chunks += document.chunks if document.outcome in ("added", "replaced") else 0
        self.missing_extras.update(filter(None, [document.extra]))
        if document.outcome == "failed" and len(self.failures) < TOLD_FAILURES:
            self.failures.append(document)

    def output(self) -> dict[str, Any]:
        failed = [{"uri": failure.uri, "reason": failure.reason} for failure in self.failures]
        return {**counted(self.outcomes, self.chunks), "failures": failed}


def _run(wish: _Wish, library: Library, recorder: Recorder, tally: _Tally) -> Generator[Progress, None, Report]:
    settings = library.settings
    sources = open_sources(wish.there, settings=settings)
    # Known before they are listed: what another run adds later is not in the list and has not vanished.
    known = library.places()
    with recorder.step("discover", "span"):
        items = discover(sources, known=known, max_documents=settings.ingest.max_documents)
    if wish.engine == "ray":
        from ingest.cluster.fill import require_shareable

        require_shareable(settings, items)
    run = _Run(open_index(settings, version=library.version), library, recorder, wish)
    yield Started(documents=len(items), version=library.version, differs=library.differs(PIPELINE_VERSION))
    if not library.turn.is_free():
        yield Waiting(at_most_s=settings.ingest.wait_s)
    with library.turn.taken(wait_s=settings.ingest.wait_s), closing(run.index.store):
        for document in run.documents(items, vanished(sources, items, known=known)):
            tally.add(document)
            yield document
        left_out = ignored(sources)
        return Report(
            **counted(tally.outcomes, tally.chunks),
            version=library.version,
            embedded=run.embedded,
            total_chunks=run.index.store.count(),
            seconds=round(recorder.elapsed_ms() / 1000, 2),
            trace_id=recorder.trace_id,
            ignored=left_out,
            missing_extras=missing_extras(tally.missing_extras, left_out),
            unmatched=unmatched([*run.writer.records, *library.manifest.failures()], settings),
        )


def missing_extras(failed: Mapping[str, int], left_out: Mapping[str, int]) -> dict[str, int]:
    """The documents that an extra would read: those that failed for want of it, and pictures that were left out."""
    pictures = sum(left_out.get(kind, 0) for kind in IMAGES)
    extras = Counter(failed) + Counter({"ocr": pictures})
    return dict(extras)


class _Run:
    def __init__(self, index: Index, library: Library, recorder: Recorder, wish: _Wish) -> None:
        self.index = index
        self.library = library
        self.recorder = recorder
        self.wish = wish
        self.gone: list[str] = []
        self.embedded = 0
        self.cache = VectorCache.of(index.settings)
        self.writer = Writer(index.store, library.manifest, index.lexical)

    def documents(self, items: Sequence[Item], vanished: Sequence[str]) -> Iterator[Document]:
        """Every document as it is done; those that vanished come last."""
        with self.recorder.step("recover", "span"):
            self.library.require_own(self.index)
            self.writer.recover(max_compared=self.index.settings.ingest.max_compared_chunks)
        records, failures = dict(self.writer.records), self.library.manifest.failures()
        reader = Reader(self.index, records=records, failures=failures, anew=self.wish.anew)
        with self.recorder.step("fill", "span") as step:
            if self.wish.engine == "ray":
                yield from self._filled_by_cluster(items, failures)
            else:
                yield from self._filled(reader, items)
            step.note({"embedded": self.embedded, "model": self.index.embedder.name})
        with self.recorder.step("remove", "span"):
            gone = [*vanished, *self.gone]
            self.library.manifest.remove([uri for uri in gone if uri not in records])
            yield from self.writer.remove([records[uri] for uri in gone if uri in records])

    def _filled(self, reader: Reader, items: Sequence[Item]) -> Iterator[Document]:
        written: deque[Future[list[Document]]] = deque()
        with ThreadPoolExecutor(1) as thread, closing(reader.messages(items)) as messages:
            for message in _grouped(messages):
                match message:
                    case Same(record=record):
                        yield Document(uri=record.uri, outcome="unchanged", chunks=record.chunks)
                    case Gone(uri=uri):
                        self.gone.append(uri)
                    case Refused():
                        written.append(thread.submit(self.writer.refuse, message))
                    case group:
                        vectors = self._embed(group)
                        self._make_version()
                        written.append(thread.submit(self.writer.write, group, vectors))
                while len(written) > WAITING_GROUPS or (written and written[0].done()):
                    yield from written.popleft().result()
            for last in written:
                yield from last.result()

    def _filled_by_cluster(self, items: Sequence[Item], failures: Mapping[str, Failure]) -> Iterator[Document]:
        """Workers stage the chunks; here documents are published when they are complete."""
        from ingest.cluster.fill import fill
        from ingest.cluster.messages import Work
        from ingest.cluster.work import Order

        known, anew = dict(self.writer.records), self.wish.anew
        works = [
            Work(item=i, known=known.get(i.uri), failure=failures.get(i.uri), is_anew=i.uri in anew) for i in items
        ]
        order = Order(
            settings=self.index.settings, version=self.index.version, parser=PIPELINE_VERSION, code=code_version()
        )
        if works:
            # Before the workers come: they would all make the collection.
            self._make_version()
            with closing(fill(order, works)) as filled:
                for some in filled:
                    yield from self._taken(some)
        # Of refused documents parts may have been staged.
        self.index.store.discard()

    def _taken(self, some: Sequence[Done]) -> Iterator[Document]:
        """What came from the cluster, into manifest and store."""
        complete = [done for done in some if isinstance(done, Complete)]
        self.embedded += sum(done.record.chunks for done in complete)
        warnings = {done.record.uri: done.warnings for done in complete}
        if complete:
            yield from self.writer.publish([done.record for done in complete], warnings)
        for done in some:
            match done:
                case Same(record=record):
                    yield Document(uri=record.uri, outcome="unchanged", chunks=record.chunks)
                case Gone(uri=uri):
                    self.gone.append(uri)
                case Refused():
                    yield from self.writer.refuse(done)

    def _make_version(self) -> None:
        """Before the first chunk is written: a run that fails before leaves no empty version behind."""
        self.index.store.prepare()
        self.library.make(self.index, parser=PIPELINE_VERSION)

    def _embed(self, group: Sequence[Part]) -> Matrix:
        texts = [chunk.indexed_text for part in group for chunk in part.chunks]
        return patiently(lambda: self._vectors(texts), RETRY_AFTER_S)

    def _vectors(self, texts: Sequence[str]) -> Matrix:
        vectors, made = self.cache.embed(texts, self.index.embedder)
        self.embedded += made
        return vectors


def _grouped(messages: Iterable[Message]) -> Iterator[Same | Gone | Refused | list[Part]]:
    """The messages, the parts among them gathered into groups; what waits of a refused document is dropped."""
    group: list[Part] = []
    chunks, began = 0, 0.0
    for message in messages:
        if isinstance(message, Part):
            began = began if group else time.monotonic()
            group.append(message)
            chunks += len(message.chunks)
            if chunks >= GROUP_CHUNKS or time.monotonic() - began >= GROUP_S:
                yield group
                group, chunks = [], 0
            continue
        if isinstance(message, Refused):
            group = [part for part in group if part.job.uri != message.job.uri]
            chunks = sum(len(part.chunks) for part in group)
        yield message
    if group:
        yield group


def _keep(
    settings: Settings,
    recorder: Recorder,
    tally: _Tally,
    status: Literal["ok", "failed", "abandoned"],
    *,
    error: str = "",
) -> None:
    if not settings.trace.enabled:
        return
    facts = {"config_hash": settings.config_hash(), "code_version": code_version(), "index": tally.index}
    trace = recorder.finish(status=status, output=error or tally.output(), attributes=facts)
    try:
        open_spool(settings).add_trace(trace)
    except (StoreError, ConfigError) as failure:
        # Where the disk refuses the index too, the run's own error says so.
        log.log(logging.DEBUG if error else logging.WARNING, "the trace of this run was not kept: %s", failure)
