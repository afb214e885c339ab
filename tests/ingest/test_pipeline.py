"""What the pipeline remembers, and where."""

from __future__ import annotations

from pathlib import Path

from ingest.pipeline import Report, ingest, manifest_path
from rag.settings import Settings, StoreSettings, load_settings


def test_every_server_and_collection_has_its_own_manifest() -> None:
    stores = [
        StoreSettings(kind=kind, url=url, collection=collection)
        for kind, url in (("edge", ""), ("server", "http://a:6333"), ("server", "http://b:6333"))
        for collection in ("one", "two")
    ]
    assert len({manifest_path(Settings(store=store)) for store in stores}) == 6
    same = [StoreSettings(kind="server", url=url) for url in ("http://a:6333", "http://a:6333/")]
    assert manifest_path(Settings(store=same[0])) == manifest_path(Settings(store=same[1]))


def test_files_of_other_kinds_are_counted(project: Path, corpus: Path) -> None:
    for name in ("a.key", "b.KEY", "c.iso", "Makefile", ".hidden.xml"):
        (corpus / "hr" / name).write_text("x")
    *_, report = ingest([corpus, corpus / "travel.md"], settings=load_settings(project / "plumbline.toml"))
    assert isinstance(report, Report)
    assert report.added == 3
    assert report.ignored == {".key": 2, ".iso": 1, "no ending": 1}
