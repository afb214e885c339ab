"""What the pipeline remembers, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.cli import print_report
from ingest.library import Library
from ingest.manifest import Manifest, Record
from ingest.pipeline import ingest, missing_extras
from ingest.progress import Report, Started
from rag.index import open_index
from rag.settings import Settings, StoreSettings, load_settings
from rag.store import Entry, Store
from rag.types import Chunk, Revision, Sparse, Vectors, chunk_id
from rag.versions import Versions


def test_every_server_and_collection_has_its_own_versions() -> None:
    stores = [
        StoreSettings(kind=kind, url=url, collection=collection)
        for kind, url in (("edge", ""), ("server", "http://a:6333"), ("server", "http://b:6333"))
        for collection in ("one", "two")
    ]
    assert len({Versions(Settings(store=store)).folder for store in stores}) == 6
    same = [StoreSettings(kind="server", url=url) for url in ("http://a:6333", "http://a:6333/")]
    assert Versions(Settings(store=same[0])).folder == Versions(Settings(store=same[1])).folder


def test_files_of_other_kinds_are_counted(project: Path, corpus: Path) -> None:
    for name in ("a.key", "b.KEY", "c.iso", "Makefile", ".hidden.xml"):
        (corpus / "hr" / name).write_text("x")
    *_, report = ingest([corpus, corpus / "travel.md"], settings=load_settings(project / "plumbline.toml"))
    assert isinstance(report, Report)
    assert report.added == 3
    assert report.ignored == {".key": 2, ".iso": 1, "no ending": 1}


def report(project: Path, corpus: Path, version: str = "") -> Report:
    *_, last = ingest([corpus], settings=load_settings(project / "plumbline.toml"), version=version)
    assert isinstance(last, Report)
    return last


def test_vectors_that_were_made_are_not_made_again(project: Path, corpus: Path) -> None:
    first = report(project, corpus)
    assert first.embedded == first.chunks > 0
    (corpus / "travel.md").write_text((corpus / "travel.md").read_text() + "\n## More\n\nA new rule.\n")
    second = report(project, corpus)
    assert (second.replaced, second.unchanged, second.embedded) == (1, 2, 1)
    other = report(project, corpus, version="v2")
    assert (other.added, other.embedded) == (3, 0)


def test_what_another_run_adds_after_the_listing_has_not_vanished(project: Path, corpus: Path) -> None:
    waiting = ingest([corpus], settings=load_settings(project / "plumbline.toml"))
    assert isinstance(next(waiting), Started)
    (corpus / "new.md").write_text("# New\n\nIt came after the list was made.\n")
    assert report(project, corpus).added == 4
    *_, last = waiting
    assert isinstance(last, Report)
    assert (last.unchanged, last.removed) == (3, 0)
    assert report(project, corpus).unchanged == 4


@pytest.mark.parametrize("moment", ["begin", "finish"])
def test_a_document_that_goes_after_a_crash_is_removed(
    project: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Manifest, moment, killed)
        with pytest.raises(KeyboardInterrupt):
            report(project, corpus)
    (corpus / "travel.md").unlink()
    report(project, corpus)
    store = open_index(load_settings(project / "plumbline.toml")).store
    assert {chunk.uri for chunk in chunks(store)} == {"docs/hr/leave.md", "docs/limits.csv"}
    store.close()


@pytest.mark.parametrize(
    "damage", ["chunks are lost", "chunks are unknown", "as many are lost as are unknown", "other ones of a document"]
)
def test_a_store_and_a_manifest_that_differ_come_to_agree(project: Path, corpus: Path, damage: str) -> None:
    settings = load_settings(project / "plumbline.toml")
    whole = report(project, corpus)
    library, store = Library(settings), open_index(settings).store
    travel = library.manifest.records()["docs/travel.md"]
    before = chunks(store)
    if damage != "chunks are unknown":
        store.publish([], retired=[travel.made])
    if damage == "chunks are unknown":
        library.manifest.remove([travel.uri])
    if damage == "as many are lost as are unknown":
        library.manifest.remove(["docs/limits.csv"])
    if damage == "other ones of a document":
        add_chunk(store, travel, position=1)
    store.close()
    mended = report(project, corpus)
    lost = 2 if damage == "as many are lost as are unknown" else 1
    assert (mended.added, mended.unchanged) == (lost, 3 - lost)
    assert mended.total_chunks == whole.total_chunks
    assert chunks(store) == before


def test_a_large_index_is_compared_by_its_number_of_chunks(project: Path, corpus: Path) -> None:
    (project / "plumbline.toml").write_text('[roles]\nembed = "scripted:words"\n[ingest]\nmax_compared_chunks = 2\n')
    report(project, corpus)
    settings = load_settings(project / "plumbline.toml")
    library, store = Library(settings), open_index(settings).store
    travel = library.manifest.records()["docs/travel.md"]
    store.publish([], retired=[travel.made])
    store.close()
    assert report(project, corpus).added == 1
    store.publish([], retired=[travel.made])
    library.manifest.remove(["docs/limits.csv"])
    store.close()
    assert report(project, corpus).added == 1, "an index of more chunks is not read"


def chunks(store: Store) -> list[Chunk]:
    found = sorted(store.chunks(), key=lambda chunk: chunk.id)
    store.close()
    assert sorted(store.ids()) == [chunk.id for chunk in found]
    return found


def add_chunk(store: Store, record: Record, *, position: int) -> None:
    identifier = chunk_id(record.uri, record.revision, position)
    strange = Chunk(
        id=identifier,
        uri=record.uri,
        title="",
        headings=(),
        page=None,
        position=position,
        text="x",
        revision=record.revision,
    )
    vectors = Vectors(dense=(1.0, *[0.0] * 63), lexical=Sparse(indices=(1,), values=(1.0,)))
    store.stage([Entry(chunk=strange, vectors=vectors)])
    store.publish([Revision(uri=record.uri, digest=record.revision, chunks=position + 1)])


def test_a_document_that_becomes_unreadable_answers_as_it_was(project: Path, corpus: Path) -> None:
    before = report(project, corpus)
    (corpus / "travel.md").write_text("")
    after = report(project, corpus)
    assert (after.failed, after.total_chunks) == (1, before.total_chunks)
    failures = Library(load_settings(project / "plumbline.toml")).manifest.failures()
    assert "is empty" in failures["docs/travel.md"].reason


def test_documents_that_want_an_extra_are_counted_and_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = missing_extras({"ocr": 2}, {".jpg": 3, ".go": 1})
    assert wanted == {"ocr": 5}
    assert missing_extras({}, {".go": 1}) == {}
    done = Report(
        added=0,
        replaced=0,
        unchanged=0,
        removed=0,
        failed=2,
        chunks=0,
        embedded=0,
        total_chunks=0,
        version="v1",
        seconds=0,
        trace_id="",
        missing_extras=wanted,
    )
    print_report(done)
    assert "5 of them can be read with the extra 'ocr': pip install 'plumbline-rag[ocr]'" in capsys.readouterr().out
