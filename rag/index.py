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
    return made_index(recipe.applied(settings) if recipe else settings, version=name)


def made_index(settings: Settings, *, version: str) -> Index:
    """The version of this name, `settings` being those it was made with."""
    embedder = make_embedder(settings)
    store = open_store(settings, version=version, embedder=embedder)
    lexical = Lexical(settings.retrieve.language)
    return Index(version=version, settings=settings, store=store, embedder=embedder, lexical=lexical)
