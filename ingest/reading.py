"""Documents read, compared with what the index has of them, and cut into chunks where they are new or changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from ingest import content_hash
from ingest.isolate.feed import Feed
from ingest.isolate.messages import Job, Part, Refused, Setup
from ingest.isolate.process import ParsingProcess
from ingest.labels import Labels
from ingest.manifest import Failure, Record
from ingest.sources import Item, Vanished
from ingest.sources.pattern import matches
from rag.errors import DocumentError
from rag.index import Index
from rag.sections import Ingest
from rag.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Same:
    """A document whose content did not change."""

    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A document that was listed and is no longer there."""

    uri: str


Message = Same | Gone | Part | Refused


class Reader:
    """Reads documents for an index that holds `records` and could not take those of `failures`.

    Those named in `anew` are made anew, whatever the index has of them.
    """

    def __init__(
        self,
        index: Index,
        *,
        records: Mapping[str, Record],
        failures: Mapping[str, Failure],
        anew: Collection[str] = (),
    ) -> None:
        """Nothing is read yet."""
        self._settings = index.settings
        self._setup = setup_of(index)
        self._records = records
        self._failures = failures
        self._anew = anew
        self._limits = _digest(index.settings.ingest)

    def messages(self, items: Sequence[Item]) -> Generator[Message, None, None]:
        """What comes of the documents, in no particular order; the parts of one come in order."""
        return Feed(items, self.read, setup=self._setup, threads=self._settings.ingest.workers).messages()

    def read(self, item: Item, process: ParsingProcess) -> Iterator[Message]:
        """What comes of one document; called in the threads of a feed, or by a worker of a cluster."""
        job = Job(path=Path(), uri=item.uri, source=item.source)
        try:
            job = replace(job, labels=labelled(item.uri, item.label(), self._settings))
            with item.fetch(self._settings.ingest.max_file_mb * 1_000_000) as path:
                yield from self._messages(replace(job, path=path), process)
        except Vanished:
            yield Gone(uri=item.uri)
        except DocumentError as error:
            # What can't be fetched now may be there another time.
            yield Refused(job=job, hash="", reason=str(error), retryable=True)

    def _messages(self, job: Job, process: ParsingProcess) -> Iterator[Message]:
        known = self._records.get(job.uri)
        if job.uri not in self._anew and (done := self._done_before(job, known)):
            yield done
            return
        if known:
            job = replace(job, source=known.source, known_revision=known.revision)
        for message in process.messages(job):
            is_refused = isinstance(message, Refused)
            yield replace(message, hash=self._tried(message.hash)) if is_refused else message

    def _done_before(self, job: Job, known: Record | None) -> Same | Refused | None:
        """What is known of the same content: that the index has it, or that it can't be read."""
        failure = self._failures.get(job.uri)
        if not (known or failure):
            return None
        try:
            content = content_hash.of_file(job.path)
        except OSError as error:
            raise DocumentError(f"can't read {job.uri}: {error.strerror}", remedy="check its rights") from None
        if failure and failure.hash == self._tried(content) and not failure.retryable:
            return Refused(job=job, hash=failure.hash, reason=failure.reason)
        return Same(record=known) if known and known.hash == hash_of(content, job.labels) else None

    def _tried(self, content: str) -> str:
        """The content with the settings it failed with: under others, a raised limit say, it is tried again."""
        return f"{content} {self._limits}"


def labelled(uri: str, told: Labels, settings: Settings) -> Labels:
    """The labels of a document: what its place tells, over the last rule that matches, over the setting for all."""
    general = Labels(readers=settings.ingest.readers)
    for rule in settings.ingest.labels:
        if _is_meant(uri, rule.documents):
            general = Labels(readers=rule.readers, fields=rule.fields).over(general)
    return told.over(general)


def unmatched(uris: Collection[str], settings: Settings) -> tuple[str, ...]:
    """The rules of labels that none of the documents is meant by: one with a slip restricts nobody."""
    rules = (rule.documents for rule in settings.ingest.labels)
    return tuple(rule for rule in rules if not any(_is_meant(uri, rule) for uri in uris))


def _is_meant(uri: str, rule: str) -> bool:
    # An address can spell each letter in two ways: %62oard is board.
    name = PurePosixPath(unquote(uri) if "://" in uri else uri)
    return matches(name.parts, PurePosixPath(rule).parts)


def hash_of(content: str, labels: Labels) -> str:
    """What tells that a document changed: its content or, behind a space, its labels."""
    return " ".join(filter(None, [content, labels.digest]))


def _digest(settings: Ingest) -> str:
    return hashlib.sha256(settings.model_dump_json(exclude={"web", "ray"}).encode()).hexdigest()[:16]


def setup_of(index: Index) -> Setup:
    """What a parsing process needs to know of an index."""
    return Setup(settings=index.settings, max_tokens=chunk_limit(index))


def chunk_limit(index: Index) -> int:
    """The longest chunk, in tokens of the embedder."""
    return min(index.settings.ingest.chunk_tokens, index.embedder.max_tokens)
