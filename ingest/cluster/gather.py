"""Parts of documents, staged by many workers in any order -> documents that are complete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ingest.cluster.messages import Staged
from ingest.isolate.messages import Job, Refused
from ingest.manifest import Record
from ingest.reading import Gone, Message, Same
from ingest.sources import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """A document all of whose chunks are staged."""

    record: Record
    warnings: tuple[str, ...]


Done = Same | Gone | Refused | Complete


@dataclass(slots=True)
class _Parts:
    """What of one revision of a document is staged: the first positions of its parts, and all their chunks."""

    firsts: set[int] = field(default_factory=set)
    chunks: int = 0
    last: Staged | None = None

    def add(self, staged: Staged) -> bool:
        """Whether the document is complete with this part. One that came before changes nothing."""
        if staged.first not in self.firsts:
            self.firsts.add(staged.first)
            self.chunks += staged.record.chunks - staged.first
        self.last = staged if staged.is_last else self.last
        return self.last is not None and self.chunks == self.last.record.chunks


class Gathering:
    """What came of the documents so far. Work that is tried again may tell things twice, and in another order."""

    def __init__(self, items: Iterable[Item]) -> None:
        """Nothing came yet."""
        self._open = {item.uri: item for item in items}
        self._parts: dict[str, dict[str, _Parts]] = {}

    def add(self, message: Message | Staged) -> Done | None:
        """What is certain of a document with this message; None while more must come."""
        match message:
            case Staged(record=record):
                return self._joined(message) if record.uri in self._open else None
            case Same(record=record):
                return message if self._closed(record.uri) else None
            case Gone(uri=uri):
                return message if self._closed(uri) else None
            case Refused(job=job):
                return message if self._closed(job.uri) else None
        return None

    def lost(self) -> list[Refused]:
        """The documents of which no end came."""
        return [_refused(item, "got lost on the cluster; run it again") for item in self._open.values()]

    def _joined(self, staged: Staged) -> Complete | None:
        record = staged.record
        parts = self._parts.setdefault(record.uri, {}).setdefault(record.revision, _Parts())
        if not parts.add(staged) or parts.last is None:
            return None
        self._closed(record.uri)
        return Complete(record=parts.last.record, warnings=parts.last.warnings)

    def _closed(self, uri: str) -> bool:
        """Whether its end was open; it no longer is."""
        self._parts.pop(uri, None)
        return self._open.pop(uri, None) is not None


def unseen(item: Item) -> Refused:
    """The refusal of a document that is here, and that a node does not find."""
    return _refused(item, "is not there on a node of the cluster; mount its folder on every node, at the same path")


def _refused(item: Item, what: str) -> Refused:
    job = Job(path=Path(), uri=item.uri, source=item.source)
    return Refused(job=job, hash="", reason=f"{item.uri} {what}", retryable=True)
