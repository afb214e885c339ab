"""What every store does, and how a chunk becomes a stored payload and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from rag.errors import StoreError
from rag.scope import folders
from rag.types import PUBLIC, Chunk, FieldValue, Revision, Scope, Vectors, chunk_from

LEXICAL = "bm25"
# Fields of a stored chunk that are the store's own: what searches find is decided by the mark, and by who may read it;
# `path` is its document and every folder above.
MARK = "mark"
READERS = "readers"
PATH = "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A chunk with its vectors, as it is written."""

    chunk: Chunk
    vectors: Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A chunk that at least one leg found, with its exact score in both: cosine and BM25."""

    id: str
    dense: float
    lexical: float


class Store(Protocol):
    """Chunks found by meaning and by words. Every method raises StoreError when the engine refuses."""

    def prepare(self) -> None:
        """Make the place for the chunks, if it is not there yet."""

    def stage(self, entries: Sequence[Entry]) -> None:
        """Write chunks that no search finds yet, durable on return; one with the same id is replaced."""

    def publish(self, new: Sequence[Revision], *, retired: Sequence[Revision] = ()) -> None:
        """Let searches find the staged chunks of `new` and forget those of `retired`, in one step.

        A document's old revision answers until its new one is complete, and never do both. Unknown chunks are no
        error; so this also removes documents, and what was staged in vain.
        """

    def discard(self) -> None:
        """Forget whatever is staged and was not published."""

    def retrieve(self, ids: Sequence[str]) -> list[Chunk]:
        """Those of these chunks that searches find, whoever asks, in no particular order."""

    def score(self, vectors: Vectors, *, depth: int, scope: Scope = PUBLIC) -> list[Scored]:
        """The best `depth` chunks of each leg within the scope, merged, each with its score in both legs."""

    def chunks(self) -> Iterator[Chunk]:
        """All chunks that searches find, in no particular order."""

    def ids(self) -> Iterator[str]:
        """The ids of all chunks that searches find, in no particular order."""

    def count(self) -> int:
        """How many chunks searches find."""

    def close(self) -> None:
        """Let go of what is held between calls; the next call takes it again."""


def to_payload(chunk: Chunk, *, mark: str) -> dict[str, Any]:
    """The chunk as a payload with the store's mark; its id is the point's id and not repeated."""
    payload = asdict(chunk)
    del payload["id"]
    parent = list(chunk.parent) if chunk.parent else None
    boxes = [list(box) for box in chunk.boxes]
    labels = {READERS: list(chunk.readers), "fields": _listed(chunk.fields), PATH: folders(chunk.uri)}
    return {**payload, "headings": list(chunk.headings), "parent": parent, "boxes": boxes, **labels, MARK: mark}


def _listed(fields: Mapping[str, FieldValue]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def to_chunk(point_id: object, payload: Mapping[str, Any]) -> Chunk:
    """The chunk that `to_payload` stored; raises StoreError for anything else."""
    try:
        fields = {name: value for name, value in payload.items() if name not in (MARK, PATH)}
        named = {name: tuple(value) if isinstance(value, list) else value for name, value in fields["fields"].items()}
        # Looked up: a chunk that does not say who may read it is nobody's.
        return chunk_from({**fields, "id": str(point_id), READERS: fields[READERS], "fields": named})
    except (KeyError, TypeError) as error:
        raise StoreError(
            f"the stored chunk {point_id} can't be read: {error}",
            expected="an index made by this version",
            remedy="name another store.collection and ingest again",
        ) from None


def merge(
    dense: Sequence[tuple[str, float]], lexical: Sequence[tuple[str, float]]
) -> tuple[list[str], list[str], list[str]]:
    """All ids the legs found, best first, and those whose score in the dense and the lexical leg is unknown."""
    ids = list(dict.fromkeys([found for found, _ in [*dense, *lexical]]))
    in_dense, in_lexical = {found for found, _ in dense}, {found for found, _ in lexical}
    return ids, [i for i in ids if i not in in_dense], [i for i in ids if i not in in_lexical]


def joined(ids: Sequence[str], dense: Mapping[str, float], lexical: Mapping[str, float]) -> list[Scored]:
    """What the legs found, in the order of `ids`."""
    return [Scored(id=one, dense=dense.get(one, 0.0), lexical=lexical.get(one, 0.0)) for one in ids]


def other_embedder(where: str, stored: str, wanted: str) -> StoreError:
    """The error for an index whose vectors another embedder made."""
    return StoreError(
        f"the index {where} holds vectors of {stored}",
        expected=f"vectors of {wanted}, as roles.embed says",
        remedy="set roles.embed back, or name another store.collection and ingest again",
    )
