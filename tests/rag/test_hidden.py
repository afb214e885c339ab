"""Switches of the embedded store that broke off: what is found is decided by one small file, replaced whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag.errors import StoreError
from rag.store import Entry
from rag.store.edge import EdgeStore
from rag.types import Chunk, Revision, Sparse, Vectors


def entries(made: Revision) -> list[Entry]:
    lexical = Sparse(indices=(1, 2), values=(1.0, 1.0))
    return [
        Entry(
            chunk=Chunk(
                id=identifier,
                uri=made.uri,
                title="",
                headings=(),
                page=None,
                position=position,
                text=f"{made.digest} {position}",
                revision=made.digest,
            ),
            vectors=Vectors(dense=(1.0, 0.0, 0.0, 0.0), lexical=lexical),
        )
        for position, identifier in enumerate(made.chunk_ids)
    ]


OLD, NEW = Revision(uri="a.md", digest="old", chunks=3), Revision(uri="a.md", digest="new", chunks=2)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[], EdgeStore]:
    """The same folder, opened again and again, with the old revision in it."""

    def store() -> EdgeStore:
        return EdgeStore(tmp_path / "index", embedder="a:b", dimension=4, lock_timeout_s=5)

    first = store()
    first.stage(entries(OLD))
    first.publish([OLD])
    first.close()
    return store


def found(store: EdgeStore) -> set[str]:
    asked = Vectors(dense=(1.0, 0.0, 0.0, 0.0), lexical=Sparse(indices=(1,), values=(1.0,)))
    ids = [one.id for one in store.score(asked, depth=9)]
    texts = {chunk.text for chunk in store.retrieve(ids)}
    assert len(texts) == len(ids)
    assert {chunk.text for chunk in store.chunks()} == texts
    assert {chunk.text for chunk in store.retrieve([*OLD.chunk_ids, *NEW.chunk_ids])} == texts
    assert store.count() == len(texts)
    return texts


class Dying:
    """An engine that dies at its next deletion."""

    def __init__(self, shard: Any) -> None:
        self.shard = shard

    def update(self, operation: Any) -> None:
        raise OSError("killed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shard, name)


def broken_switch(store: EdgeStore, *, new: list[Revision]) -> None:
    with store._turn() as folder:
        folder.shard = Dying(folder.shard)
    with pytest.raises(StoreError, match="killed"):
        store.publish(new, retired=[OLD])


def test_old_chunks_that_a_crash_left_are_never_found_and_go_with_the_next_write(
    opened: Callable[[], EdgeStore], tmp_path: Path
) -> None:
    store = opened()
    store.stage(entries(NEW))
    broken_switch(store, new=[NEW])
    assert found(opened()) == {"new 0", "new 1"}
    other = Revision(uri="b.md", digest="b", chunks=1)
    opened().stage(entries(other))
    told = json.loads((tmp_path / "index" / "hidden.json").read_text())
    assert told == {"staged": ["b\nb.md"], "retired": []}
    assert found(opened()) == {"new 0", "new 1"}


def test_a_document_whose_removal_broke_off_can_come_back(opened: Callable[[], EdgeStore]) -> None:
    broken_switch(opened(), new=[])
    assert found(opened()) == set()
    again = opened()
    again.stage(entries(OLD))
    assert found(opened()) == set()
    again.publish([OLD])
    assert found(opened()) == {"old 0", "old 1", "old 2"}


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"staged": 1, "retired": []}', '{"staged": [], "retired": [1]}'])
def test_a_damaged_list_is_a_store_error(opened: Callable[[], EdgeStore], tmp_path: Path, damage: str) -> None:
    (tmp_path / "index" / "hidden.json").write_text(damage)
    with pytest.raises(StoreError, match="can't use the index"):
        opened().count()


def test_a_list_that_is_gone_lets_nothing_half_written_be_found(
    opened: Callable[[], EdgeStore], tmp_path: Path
) -> None:
    opened().stage(entries(NEW)[:1])
    (tmp_path / "index" / "hidden.json").unlink()
    with pytest.raises(StoreError, match=r"hidden\.json"):
        opened().count()


def test_very_many_documents_are_removed_at_once(opened: Callable[[], EdgeStore], tmp_path: Path) -> None:
    # Time that grows with the square of their number would be minutes.
    gone = [Revision(uri=f"{number}.md", digest="a", chunks=1) for number in range(30_000)]
    opened().publish([], retired=[*gone, OLD])
    assert json.loads((tmp_path / "index" / "hidden.json").read_text()) == {"staged": [], "retired": []}
    assert found(opened()) == set()
