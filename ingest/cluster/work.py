"""What the workers of a cluster do: one kind reads, parses and cuts documents, the other embeds and stores chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ingest.cluster.messages import Row, Staged, Work, from_row, from_work, table, to_row
from ingest.isolate.messages import Part
from ingest.isolate.process import ParsingProcess
from ingest.patience import RETRY_AFTER_S, patiently
from ingest.reading import Message, Reader, setup_of
from ingest.writer import entries, record_of
from rag.errors import ConfigError
from rag.index import Index, made_index
from rag.settings import Settings
from rag.store import open_server_store
from rag.version import code_version

if TYPE_CHECKING:
    from rag.store.server import ServerStore

# Chunks that are embedded together, as on one machine.
GROUP_CHUNKS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which index a worker fills, and by which code. Its settings name variables that hold secrets, not these."""

    settings: Settings
    version: str
    parser: int
    code: str

    def index(self) -> Index:
        """The index as this node sees it; raises ConfigError where the node runs other code."""
        from ingest.pipeline import PIPELINE_VERSION

        here = (PIPELINE_VERSION, code_version())
        if here != (self.parser, self.code):
            raise ConfigError(
                f"a node of the cluster runs plumbline-rag {here[1]} (parser {here[0]})",
                expected=f"{self.code} (parser {self.parser}), as where the run was started",
                remedy="install the same version on every node",
            )
        return made_index(self.settings, version=self.version)


class Cutter:
    """Documents -> chunks, by a parsing process that a hostile document takes with it instead of this worker."""

    def __init__(self, order: Order) -> None:
        """Runs once a worker; all else starts with the first document, as Ray hides what is raised here."""
        self._order = order

    @cached_property
    def _index(self) -> Index:
        return self._order.index()

    @cached_property
    def _process(self) -> ParsingProcess:
        return ParsingProcess(setup_of(self._index))

    def __call__(self, batch: Any) -> Iterator[Any]:
        """Rows of work -> rows of messages, a table each, so that a long document streams."""
        for row in batch.to_pylist():
            for message in self._messages(from_work(row)):
                yield table([to_row(message)])

    def _messages(self, work: Work) -> Iterator[Message]:
        uri = work.item.uri
        reader = Reader(
            self._index,
            records={uri: work.known} if work.known else {},
            failures={uri: work.failure} if work.failure else {},
            anew=[uri] if work.is_anew else [],
        )
        return reader.read(work.item, self._process)


class Stager:
    """Chunks -> vectors -> the server, where no search finds them yet. What is no chunk goes on as it is."""

    def __init__(self, order: Order) -> None:
        """Runs once a worker; all else starts with the first chunks."""
        self._order = order

    @cached_property
    def _index(self) -> Index:
        return self._order.index()

    @cached_property
    def _store(self) -> ServerStore:
        order = self._order
        return open_server_store(order.settings, version=order.version, embedder=self._index.embedder)

    def __call__(self, batch: Any) -> Iterator[Any]:
        """Rows of messages -> rows of messages, with what was staged in place of the chunks.

        A generator, as Ray hides what a plain function raises.
        """
        rows: list[Row] = batch.to_pylist()
        messages = [from_row(row) for row in rows]
        for group in grouped([message for message in messages if isinstance(message, Part)]):
            self._stage(group)
        yield table([to_row(_staged(message)) for message in messages])

    def _stage(self, parts: Sequence[Part]) -> None:
        texts = [chunk.indexed_text for part in parts for chunk in part.chunks]
        vectors = patiently(lambda: self._index.embedder.embed(texts), RETRY_AFTER_S)
        self._store.restage(entries(parts, vectors, self._index.lexical))


def grouped(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """The parts in groups of about GROUP_CHUNKS chunks."""
    group: list[Part] = []
    for part in parts:
        group.append(part)
        if sum(len(part.chunks) for part in group) >= GROUP_CHUNKS:
            yield group
            group = []
    if group:
        yield group


def _staged(message: Message | Staged) -> Message | Staged:
    if not isinstance(message, Part):
        return message
    return Staged(
        record=record_of(message),
        first=message.chunks[0].position,
        is_last=message.is_last,
        warnings=message.warnings,
    )
