"""Fill the store: file -> bytes -> elements -> chunks -> vectors -> store. The only file that opens ingest spans."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from ingest.chunk import chunk
from ingest.files import File, digest, discover, ignored, lies_below, read, source_uri
from ingest.manifest import Manifest, Record
from ingest.parse import parse
from rag.errors import DocumentError, PlumbError, StoreError
from rag.observe.codec import without_content
from rag.observe.record import Recorder
from rag.observe.spool import open_spool
from rag.search import Searcher
from rag.settings import Settings
from rag.store import Entry
from rag.types import Chunk, Vectors
from rag.version import code_version

Outcome = Literal["added", "replaced", "unchanged", "removed", "failed"]
# Raised whenever parsing or chunking changes what a document becomes: everything is made anew then.
PIPELINE_VERSION = 3
# Documents are embedded and written in groups of about so many chunks.
GROUP_CHUNKS = 128

log = logging.getLogger("plumbline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The documents were counted."""

    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document is done; `reason` says why a failed one failed."""

    uri: str
    outcome: Outcome
    chunks: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole run. `chunks` were embedded in this run, `total_chunks` are in the index now.

    `ignored` counts the files of the folders that are of a kind that can't be read, by their ending.
    """

    added: int
    replaced: int
    unchanged: int
    removed: int
    failed: int
    chunks: int
    total_chunks: int
    seconds: float
    trace_id: str
    ignored: Mapping[str, int] = field(default_factory=dict)


Progress = Started | Document | Report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    file: File
    hash: str
    chunks: tuple[Chunk, ...]
    old: Record | None


def manifest_path(settings: Settings) -> Path:
    """Where the manifest of the configured index lies; every server has its own."""
    store = settings.store
    address = store.url.rstrip("/").encode()
    server = f"-{digest(address)[:8]}" if store.kind == "server" else ""
    return settings.data_path / "index" / f"{store.kind}{server}-{store.collection}.db"


def ingest(paths: Sequence[Path], *, settings: Settings) -> Iterator[Progress]:
    """Bring the documents below `paths` into the index: new, changed and vanished ones; the rest is left alone.

    A document that can't be read is reported and the run goes on. New chunks are written before old ones are
    deleted, and what was finished stays when the run is interrupted. Raises InputError, StoreError and ModelError.
    """
    recorder = Recorder("ingest", question=[str(path) for path in paths])
    seen: list[Document] = []
    try:
        with recorder.step("discover", "span"):
            known = Manifest(manifest_path(settings)).records()
            files = discover(paths, root=settings.root, known=known.keys())
        yield Started(files=len(files))
        run = _Run(settings, recorder)
        for document in run.documents(paths, files):
            seen.append(document)
            yield document
        report = _report(seen, total=run.searcher.store.count(), recorder=recorder)
        report = replace(report, ignored=ignored(paths))
    except (GeneratorExit, KeyboardInterrupt):
        _keep(settings, recorder, "abandoned", seen)
        raise
    except PlumbError as error:
        _keep(settings, recorder, "failed", seen, error=str(error))
        raise
    _keep(settings, recorder, "ok", seen)
    yield report


class _Run:
    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        self.settings = settings
        self.searcher = Searcher.from_settings(settings)
        self.recorder = recorder
        self.manifest = Manifest(manifest_path(settings))
        options, embedder = settings.ingest, self.searcher.embedder
        self.max_tokens = min(options.chunk_tokens, embedder.max_tokens)
        self.recipe = f"{PIPELINE_VERSION} {embedder.name} {self.max_tokens} {settings.retrieve.language}"

    def documents(self, paths: Sequence[Path], files: Sequence[File]) -> Iterator[Document]:
        records = self._records()
        group: list[_Prepared] = []
        for file in files:
            prepared = self._prepare(file, records.get(file.uri))
            if isinstance(prepared, Document):
                yield prepared
                continue
            group.append(prepared)
            if sum(len(item.chunks) for item in group) >= GROUP_CHUNKS:
                yield from self._write(group)
                group = []
        yield from self._write(group)
        yield from self._remove(_vanished(records, paths, files, self.settings.root))

    def _records(self) -> Mapping[str, Record]:
        """What the manifest says, unless the index holds less than that: then it was lost and starts anew."""
        records = self.manifest.records()
        expected = sum(len(record.chunk_ids) for record in records.values())
        if self.searcher.store.count() < expected:
            self.manifest.remove(list(records))
            return {}
        return records

    def _prepare(self, file: File, old: Record | None) -> _Prepared | Document:
        try:
            data = read(file, max_bytes=self.settings.ingest.max_file_mb * 1_000_000)
            content = digest(data)
            if old and (old.hash, old.recipe) == (content, self.recipe):
                return Document(uri=file.uri, outcome="unchanged", chunks=len(old.chunk_ids))
            with self.recorder.step("parse", "span") as step:
                step.note({"uri": file.uri, "bytes": len(data)})
                chunks = chunk(
                    parse(file.path, data),
                    uri=file.uri,
                    document_hash=content,
                    max_tokens=self.max_tokens,
                    count=self.searcher.embedder.count,
                )
        except DocumentError as error:
            return Document(uri=file.uri, outcome="failed", reason=str(error))
        return _Prepared(file=file, hash=content, chunks=chunks, old=old)

    def _write(self, group: Sequence[_Prepared]) -> Iterator[Document]:
        """Embed and store a group: new chunks first, then old chunks go, then the manifest tells of it."""
        chunks = [item for prepared in group for item in prepared.chunks]
        with self.recorder.step("embed", "embedding") as step:
            step.note({"chunks": len(chunks), "model": self.searcher.embedder.name})
            entries = self._embed(chunks)
        with self.recorder.step("store", "span") as step:
            step.note({"chunks": len(entries)})
            self.searcher.store.upsert(entries)
            stale = [i for item in group if item.old for i in set(item.old.chunk_ids) - {c.id for c in item.chunks}]
            self.searcher.store.delete(stale)
            self.manifest.put([self._record(item) for item in group])
        for item in group:
            outcome: Outcome = "replaced" if item.old else "added"
            yield Document(uri=item.file.uri, outcome=outcome, chunks=len(item.chunks))

    def _embed(self, chunks: Sequence[Chunk]) -> list[Entry]:
        texts = [item.indexed_text for item in chunks]
        size = self.settings.ingest.batch_chunks
        rows = [
            row
            for start in range(0, len(texts), size)
            for row in self.searcher.embedder.embed(texts[start : start + size])
        ]
        return [
            Entry(chunk=item, vectors=Vectors(dense=tuple(row.tolist()), lexical=self.searcher.lexical.passage(text)))
            for item, text, row in zip(chunks, texts, rows, strict=True)
        ]

    def _record(self, item: _Prepared) -> Record:
        ids = tuple(item.id for item in item.chunks)
        return Record(uri=item.file.uri, source=item.file.source, hash=item.hash, recipe=self.recipe, chunk_ids=ids)

    def _remove(self, gone: Sequence[Record]) -> Iterator[Document]:
        if gone:
            self.searcher.store.delete([i for record in gone for i in record.chunk_ids])
            self.manifest.remove([record.uri for record in gone])
        for record in gone:
            yield Document(uri=record.uri, outcome="removed", chunks=len(record.chunk_ids))


def _vanished(records: Mapping[str, Record], paths: Sequence[Path], files: Sequence[File], root: Path) -> list[Record]:
    """Documents that came from one of these paths and are no longer there."""
    places = [source_uri(path, root) for path in paths]
    found = {file.uri for file in files}
    return [
        record
        for record in records.values()
        if record.uri not in found and any(lies_below(record.uri, place) for place in places)
    ]


def _report(seen: Sequence[Document], *, total: int, recorder: Recorder) -> Report:
    def count(outcome: Outcome) -> int:
        return sum(document.outcome == outcome for document in seen)

    return Report(
        added=count("added"),
        replaced=count("replaced"),
        unchanged=count("unchanged"),
        removed=count("removed"),
        failed=count("failed"),
        chunks=sum(document.chunks for document in seen if document.outcome in ("added", "replaced")),
        total_chunks=total,
        seconds=round(recorder.elapsed_ms() / 1000, 2),
        trace_id=recorder.trace_id,
    )


def _keep(
    settings: Settings,
    recorder: Recorder,
    status: Literal["ok", "failed", "abandoned"],
    seen: Sequence[Document],
    *,
    error: str = "",
) -> None:
    if not settings.trace.enabled:
        return
    output = error or {"documents": [asdict(document) for document in seen if document.outcome != "unchanged"]}
    facts = {"config_hash": settings.config_hash(), "code_version": code_version(), "index": settings.store.collection}
    trace = recorder.finish(status=status, output=output, attributes=facts)
    try:
        open_spool(settings).add_trace(trace if settings.trace.content == "full" else without_content(trace))
    except StoreError as failure:
        # Where the disk refuses the index too, the run's own error says so.
        log.log(logging.DEBUG if error else logging.WARNING, "the trace of this run was not kept: %s", failure)
