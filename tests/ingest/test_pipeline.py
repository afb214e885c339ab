"""What the pipeline remembers, and where."""

from __future__ import annotations

from ingest.pipeline import manifest_path
from rag.settings import Settings, StoreSettings


def test_every_server_and_collection_has_its_own_manifest() -> None:
    stores = [
        StoreSettings(kind=kind, url=url, collection=collection)
        for kind, url in (("edge", ""), ("server", "http://a:6333"), ("server", "http://b:6333"))
        for collection in ("one", "two")
    ]
    assert len({manifest_path(Settings(store=store)) for store in stores}) == 6
    same = [StoreSettings(kind="server", url=url) for url in ("http://a:6333", "http://a:6333/")]
    assert manifest_path(Settings(store=same[0])) == manifest_path(Settings(store=same[1]))
