"""Where chunks and their vectors live: one protocol, one backend a file."""

from __future__ import annotations

from rag.settings import Settings, secret
from rag.store.protocol import Entry, Store

__all__ = ["Entry", "Store", "open_store"]


def open_store(settings: Settings, *, embedder: str, dimension: int) -> Store:
    """The store the settings ask for, holding vectors of `embedder` ('provider:model', `dimension` wide).

    Raises StoreError when the store can't be reached or holds vectors of another embedder.
    """
    match settings.store.kind:
        case "edge":
            from rag.store.edge import EdgeStore

            return EdgeStore(
                settings.data_path / "index" / settings.store.collection,
                embedder=embedder,
                dimension=dimension,
                lock_timeout_s=settings.store.timeout_s,
            )
        case "server":
            from rag.store.server import ServerStore, connect

            client = connect(
                settings.store.url,
                api_key=secret(settings.store.api_key_env),
                timeout_s=settings.store.timeout_s,
            )
            return ServerStore(client, settings.store.collection, embedder=embedder, dimension=dimension)
