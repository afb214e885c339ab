"""Where chunks and their vectors live: one protocol, one backend a file."""

from __future__ import annotations

from rag.embed.protocol import Embedder
from rag.settings import Settings, secret
from rag.store.protocol import Entry, Store

__all__ = ["Entry", "Store", "open_store"]


def open_store(settings: Settings, *, version: str, embedder: Embedder) -> Store:
    """The store of an index version as the settings ask for it, holding vectors of `embedder`.

    Raises StoreError when the store can't be reached or holds vectors of another embedder.
    """
    match settings.store.kind:
        case "edge":
            from rag.store.edge import EdgeStore

            return EdgeStore(
                settings.data_path / "index" / settings.store.collection / version / "store",
                embedder=embedder.name,
                dimension=embedder.dimension,
                lock_timeout_s=settings.store.timeout_s,
                min_free_mb=settings.store.min_free_mb,
            )
        case "server":
            from rag.store.server import ServerStore, connect, version_collection

            client = connect(
                settings.store.url,
                api_key=secret(settings.store.api_key_env),
                timeout_s=settings.store.timeout_s,
            )
            collection = version_collection(settings.store.collection, version)
            return ServerStore(client, collection, embedder=embedder.name, dimension=embedder.dimension)
