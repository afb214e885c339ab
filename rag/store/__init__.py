"""Where chunks and their vectors live: one protocol, one backend a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.embed.protocol import Embedder
from rag.errors import ConfigError
from rag.sections import Server
from rag.settings import Settings, secret
from rag.store.protocol import Entry, Store

if TYPE_CHECKING:
    from rag.store.server import ServerStore

__all__ = ["Entry", "Store", "open_server_store", "open_store"]


def open_store(settings: Settings, *, version: str, embedder: Embedder) -> Store:
    """The store of an index version as the settings ask for it, holding vectors of `embedder`.

    Raises StoreError when the store can't be reached or holds vectors of another embedder, ConfigError for settings
    of a server with the embedded store.
    """
    match settings.store.kind:
        case "edge":
            from rag.store.edge import EdgeStore

            _refuse_server_settings(settings.store.server)
            return EdgeStore(
                settings.data_path / "index" / settings.store.collection / version / "store",
                embedder=embedder.name,
                dimension=embedder.dimension,
                lock_timeout_s=settings.store.timeout_s,
                min_free_mb=settings.store.min_free_mb,
            )
        case "server":
            return open_server_store(settings, version=version, embedder=embedder)


def open_server_store(settings: Settings, *, version: str, embedder: Embedder) -> ServerStore:
    """The collection of an index version on the server at store.url."""
    from rag.store.server import ServerStore, connect, version_collection

    store = settings.store
    client = connect(store.url, api_key=secret(store.api_key_env), timeout_s=store.timeout_s)
    collection = version_collection(store.collection, version)
    return ServerStore(client, collection, embedder=embedder.name, dimension=embedder.dimension, options=store.server)


def _refuse_server_settings(server: Server) -> None:
    changed = [name for name in sorted(server.model_fields_set) if getattr(server, name) != getattr(Server(), name)]
    if changed:
        raise ConfigError(
            f"store.server.{changed[0]} is set, and store.kind is 'edge'",
            expected="store.kind = 'server': the embedded store has no such setting",
            remedy="remove it, or use a Qdrant server",
        )
