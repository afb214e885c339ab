"""What holds for a Qdrant server alone, through the real client over REST."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qdrant_server
from qdrant_client import QdrantClient
from qdrant_server import FakeQdrant
from test_store import DIMENSION, LEXICAL, corpus, entry, question, revision, texts, write

from rag.embed.scripted import ScriptedEmbedder
from rag.errors import ConfigError, StoreError
from rag.sections import Server
from rag.settings import Settings, StoreSettings
from rag.store import open_store
from rag.store.server import ServerStore, connect
from rag.types import Vectors


@pytest.fixture
def loopback() -> Iterator[FakeQdrant]:
    """A server that answers over REST from memory."""
    with qdrant_server.running() as fake:
        yield fake


def test_many_chunks_go_to_the_server_in_several_requests() -> None:
    sizes: list[int] = []

    class Watched(QdrantClient):
        def upsert(self, collection_name: str, points: Any, **options: Any) -> Any:
            sizes.append(len(points))
            return super().upsert(collection_name, points, **options)

    store = ServerStore(Watched(":memory:"), "many", embedder="a:b", dimension=DIMENSION)
    write(store, [entry(i, "leave") for i in range(600)])
    assert store.count() == 600
    assert sizes == [256, 256, 88]


def test_a_search_asks_both_legs_at_once() -> None:
    asked: list[list[str]] = []

    class Watched(QdrantClient):
        def query_batch_points(self, collection_name: str, requests: Any, **options: Any) -> Any:
            asked.append([request.using for request in requests])
            return super().query_batch_points(collection_name, requests, **options)

    store = ServerStore(Watched(":memory:"), "batch", embedder="a:b", dimension=DIMENSION)
    write(store, corpus(50))
    assert store.score(question("leave"), depth=5)
    assert asked == [["a%3Ab", "bm25"]] * 2


def server_settings(url: str, tmp_path: Path) -> Settings:
    return Settings(root=tmp_path, store=StoreSettings(kind="server", url=url, timeout_s=0.5))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://user:pa55@127.0.0.1:9"])
def test_a_server_that_is_down_is_one_clear_line(tmp_path: Path, url: str) -> None:
    store = open_store(server_settings(url, tmp_path), version="v1", embedder=ScriptedEmbedder("scripted:words"))
    for use in (store.count, lambda: write(store, corpus(1)), lambda: list(store.chunks())):
        with pytest.raises(StoreError, match="can't be reached") as failed:
            use()
        assert "pa55" not in str(failed.value)
        assert "docker compose" in failed.value.remedy


@pytest.mark.parametrize("url", ["not a url", "http://[", "http://127.0.0.1:port"])
def test_something_that_is_no_url_is_a_config_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.url is"):
        open_store(server_settings(url, tmp_path), version="v1", embedder=ScriptedEmbedder("scripted:words"))


def test_a_late_worker_changes_nothing_that_searches_find(loopback: FakeQdrant) -> None:
    client = connect(loopback.url, api_key="", timeout_s=10)
    store = ServerStore(client, "x", embedder="a:b", dimension=DIMENSION)
    store.restage([entry(1, "hotel"), entry(2, "train")])
    store.restage([entry(1, "hotel again")])
    store.publish([revision(1)])
    store.restage([entry(1, "too late"), entry(2, "train again")])
    assert texts(store) == {"hotel again"}
    store.publish([revision(2)])
    assert texts(store) == {"hotel again", "train again"}
    client.close()


# How a server keeps a collection.


def created(loopback: FakeQdrant, tmp_path: Path, server: Server) -> dict[str, Any]:
    """What a store with these settings asks of the server, without what it leaves to the server."""
    store = StoreSettings(kind="server", url=loopback.url, server=server)
    made = open_store(Settings(root=tmp_path, store=store), version="v1", embedder=ScriptedEmbedder("scripted:words"))
    made.prepare()
    asked: dict[str, Any] = stated(loopback.created["plumbline-v1"])
    row = np.zeros(ScriptedEmbedder("scripted:words").dimension).tolist()
    made.score(Vectors(dense=tuple(row), lexical=LEXICAL.question("hotel")), depth=3)
    return asked


def stated(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {name: stated(item) for name, item in value.items() if item is not None}
    return {name: item for name, item in kept.items() if item != {}}


def test_what_is_not_set_is_left_to_the_server(loopback: FakeQdrant, tmp_path: Path) -> None:
    asked = created(loopback, tmp_path, Server())
    assert asked == {
        "vectors": {"scripted%3Awords": {"size": 64, "distance": "Cosine", "on_disk": False}},
        "sparse_vectors": {"bm25": {"modifier": "idf", "index": {"on_disk": False}}},
        "hnsw_config": {"on_disk": False},
        "on_disk_payload": True,
    }
    assert all(query.get("params") is None for query in loopback.queries)


def test_the_settings_of_a_server_arrive(loopback: FakeQdrant, tmp_path: Path) -> None:
    server = Server(
        shard_number=6,
        replication_factor=2,
        write_consistency_factor=2,
        vectors_on_disk=True,
        lexical_on_disk=True,
        payload_on_disk=False,
        hnsw_on_disk=True,
        hnsw_m=24,
        hnsw_ef_construct=200,
        quantization="int8",
        oversampling=3.0,
    )
    asked = created(loopback, tmp_path, server)
    assert (asked["shard_number"], asked["replication_factor"], asked["write_consistency_factor"]) == (6, 2, 2)
    assert asked["hnsw_config"] == {"m": 24, "ef_construct": 200, "on_disk": True}
    assert asked["quantization_config"] == {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}}
    assert asked["on_disk_payload"] is False
    assert asked["vectors"]["scripted%3Awords"]["on_disk"] is True
    assert asked["sparse_vectors"]["bm25"]["index"] == {"on_disk": True}
    by_leg = {query["using"]: stated(query.get("params")) for query in loopback.queries}
    assert by_leg == {
        "scripted%3Awords": {"quantization": {"rescore": True, "oversampling": 3.0}},
        "bm25": None,
    }


def test_binary_copies_may_stay_on_disk(loopback: FakeQdrant, tmp_path: Path) -> None:
    asked = created(loopback, tmp_path, Server(quantization="binary", quantized_in_ram=False))
    assert asked["quantization_config"] == {"binary": {"always_ram": False}}


def test_settings_of_a_server_are_refused_for_the_embedded_store(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, store=StoreSettings(server=Server(quantization="int8")))
    with pytest.raises(ConfigError, match=r"store\.server\.quantization is set.*store\.kind is 'edge'"):
        open_store(settings, version="v1", embedder=ScriptedEmbedder("scripted:words"))
