"""An index version with all that reads and fills it: its store, its embedder, its words."""

from __future__ import annotations

from dataclasses import dataclass

from rag.embed import Embedder, make_embedder
from rag.embed.lexical import Lexical
from rag.settings import Settings
from rag.store import Store, open_store
from rag.versions import FIRST, Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One version. `settings` are those it was made with, where they decide what is in it."""

    version: str
    settings: Settings
    store: Store
    embedder: Embedder
    lexical: Lexical

    @property
    def name(self) -> str:
        """The collection and its version, for people and traces."""
        return f"{self.settings.store.collection} {self.version}"


def open_index(settings: Settings, *, version: str = "") -> Index:
    """The live version, or the one named. Raises ConfigError, WeightsError, ModelError or StoreError.

    A version keeps the embedder it was made with, whatever the settings say now; one that is yet to be made takes
    them from the settings.
    """
    versions = Versions(settings)
    name = version or versions.live() or FIRST
    recipe = versions.recipe(name)
    made = recipe.applied(settings) if recipe else settings
    embedder = make_embedder(made)
    store = open_store(made, version=name, embedder=embedder)
    return Index(version=name, settings=made, store=store, embedder=embedder, lexical=Lexical(made.retrieve.language))
