"""Chunks with their vectors into the store: staged part by part, published when a document is complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from ingest.isolate.messages import Part, Refused
from ingest.labels import Labels
from ingest.manifest import Failure, Manifest, Record
from ingest.progress import Document
from ingest.reading import hash_of
from rag.embed import Matrix
from rag.embed.lexical import Lexical
from rag.errors import StoreError
from rag.store import Entry, Store
from rag.types import EVERYONE, Chunk, Revision, Vectors

NARROWED = "what the index had of it was taken out, as fewer may read it now"


class Writer:
    """Keeps store and manifest in step, so that a crash at any moment can be mended by `recover()`.

    Not to be shared between threads: a run calls it from one thread of its own.
    """

    def __init__(self, store: Store, manifest: Manifest, lexical: Lexical) -> None:
        """Nothing is written yet."""
        self._store = store
        self._manifest = manifest
        self._lexical = lexical
        self._records: dict[str, Record] = {}
        self._is_broken = False

    def recover(self, *, max_compared: int) -> None:
        """Learn what is in the index, and mend what a crash left; called with the turn held, before anything else.

        Documents that were published are finished, those that were not are given up. Then the store must hold the very
        chunks that the manifest tells of: compared one by one up to so many, by their number above.
        """
        self._records = self._manifest.records()
        for record in self._manifest.begun():
            # A switch is whole or not at all: one chunk tells of all.
            if self._store.retrieve(list(islice(record.made.chunk_ids, 1))):
                self._finish([record])
            else:
                self._store.publish([], retired=[record.made])
                self._manifest.abandon([record.uri])
        # What workers of a cluster staged is noted nowhere.
        self._store.discard()
        if not self._agree(max_compared):
            self._reconcile()

    def known(self, uri: str) -> Record | None:
        """The document as it is in the index."""
        return self._records.get(uri)

    @property
    def records(self) -> Mapping[str, Record]:
        """The documents in the index, by uri."""
        return self._records

    def write(self, parts: Sequence[Part], vectors: Matrix) -> list[Document]:
        """Store a group of parts, `vectors` holding a row a chunk; the documents that are complete with it.

        After an error nothing more is written: a later part would be published without the one that was lost.
        """
        if self._is_broken:
            raise StoreError("an earlier group of chunks was not written", remedy="run it again")
        self._is_broken = True
        documents = self._written(parts, vectors)
        self._is_broken = False
        return documents

    def _written(self, parts: Sequence[Part], vectors: Matrix) -> list[Document]:
        self._manifest.begin([record_of(part) for part in _latest(parts)])
        self._store.stage(entries(parts, vectors, self._lexical))
        complete = [part for part in parts if part.is_last]
        warnings = {part.job.uri: part.warnings for part in complete}
        return self._published([record_of(part) for part in complete], warnings)

    def publish(self, complete: Sequence[Record], warnings: Mapping[str, tuple[str, ...]]) -> list[Document]:
        """Let documents answer that were staged by others, with the warnings of each."""
        self._manifest.begin(complete)
        return self._published(complete, warnings)

    def _published(self, complete: Sequence[Record], warnings: Mapping[str, tuple[str, ...]]) -> list[Document]:
        old = [known for record in complete if (known := self.known(record.uri))]
        self._store.publish([record.made for record in complete], retired=[record.made for record in old])
        self._finish(complete)
        replaced = {record.uri for record in old}
        return [
            Document(
                uri=record.uri,
                outcome="replaced" if record.uri in replaced else "added",
                chunks=record.chunks,
                warnings=warnings[record.uri],
            )
            for record in complete
        ]

    def refuse(self, refused: Refused) -> list[Document]:
        """Give a document up: what was staged of it goes, what the index had of it stays.

        Unless it shows it to somebody who may not read the document any more: then it goes, too.
        """
        uri = refused.job.uri
        begun = [record.made for record in self._manifest.begun() if record.uri == uri]
        self._store.publish([], retired=begun)
        self._manifest.abandon([uri])
        reason = refused.reason
        known = self.known(uri)
        if known and self._is_narrowed(known, refused.job.labels):
            self.remove([known])
            reason = f"{reason}; {NARROWED}"
        failure = Failure(
            uri=uri,
            source=refused.job.source,
            hash=refused.hash,
            reason=refused.reason,
            retryable=refused.retryable,
        )
        self._manifest.fail([failure])
        return [Document(uri=uri, outcome="failed", reason=reason, extra=refused.extra)]

    def _is_narrowed(self, known: Record, labels: Labels) -> bool:
        """Whether the index shows a document to somebody who may not read it any more, as far as labels are known."""
        if labels.readers is None or EVERYONE in labels.readers:
            return False
        first = self._store.retrieve(list(islice(known.made.chunk_ids, 1)))
        return any(not set(chunk.readers) <= set(labels.readers) for chunk in first)

    def remove(self, gone: Sequence[Record]) -> list[Document]:
        """Take documents out of the index."""
        self._store.publish([], retired=[record.made for record in gone])
        self._manifest.remove([record.uri for record in gone])
        for record in gone:
            self._records.pop(record.uri, None)
        return [Document(uri=record.uri, outcome="removed", chunks=record.chunks) for record in gone]

    def _finish(self, records: Sequence[Record]) -> None:
        self._manifest.finish(records)
        self._records.update({record.uri: record for record in records})

    def _agree(self, max_compared: int) -> bool:
        expected, stored = sum(record.chunks for record in self._records.values()), self._store.count()
        if expected != stored or stored > max_compared:
            return expected == stored
        made = (chunk for record in self._records.values() for chunk in record.made.chunk_ids)
        return _sum(made) == _sum(self._store.ids())

    def _reconcile(self) -> None:
        """Make manifest and store agree again: chunks nobody knows go, documents that lack some are forgotten."""
        stored: dict[tuple[str, str], int] = {}
        highest: dict[tuple[str, str], int] = {}
        for chunk in self._store.chunks():
            key = (chunk.uri, chunk.revision)
            stored[key] = stored.get(key, 0) + 1
            highest[key] = max(highest.get(key, 0), chunk.position + 1)
        made = {(r.uri, r.revision): r.chunks for r in self._records.values()}
        whole = {key for key, chunks in made.items() if stored.get(key) == highest.get(key) == chunks}
        lost = {uri for uri, record in self._records.items() if (uri, record.revision) not in whole}
        strange = [key for key in stored if key not in whole]
        self._store.publish([], retired=[Revision(uri=u, digest=d, chunks=highest[(u, d)]) for u, d in strange])
        self._manifest.remove(sorted(lost))
        self._records = {uri: record for uri, record in self._records.items() if uri not in lost}


def record_of(part: Part) -> Record:
    """The document as far as it goes with this part."""
    last = part.chunks[-1]
    return Record(
        uri=part.job.uri,
        source=part.job.source,
        title=last.title,
        hash=hash_of(part.hash, part.job.labels),
        revision=part.revision,
        chunks=last.position + 1,
        bytes=part.bytes,
    )


def entries(parts: Sequence[Part], vectors: Matrix, lexical: Lexical) -> list[Entry]:
    """The chunks of some parts as they are stored, `vectors` holding a row a chunk."""
    chunks = [_labelled(chunk, part.job.labels) for part in parts for chunk in part.chunks]
    return [_entry(chunk, row, lexical) for chunk, row in zip(chunks, vectors, strict=True)]


def _labelled(chunk: Chunk, labels: Labels) -> Chunk:
    # Nobody's, should it ever be that nothing was said.
    return replace(chunk, readers=labels.readers or (), fields=labels.fields)


def _entry(chunk: Chunk, row: Sequence[float], lexical: Lexical) -> Entry:
    words = lexical.passage(chunk.indexed_text)
    return Entry(chunk=chunk, vectors=Vectors(dense=tuple(map(float, row)), lexical=words))


def _sum(ids: Iterable[str]) -> int:
    """Tells sets of as many UUIDs apart; two sets of a hundred thousand would take the memory of a group of chunks."""
    return sum(int(chunk.replace("-", ""), 16) for chunk in ids)


def _latest(parts: Sequence[Part]) -> list[Part]:
    """The last part of each document."""
    return list({part.job.uri: part for part in parts}.values())
