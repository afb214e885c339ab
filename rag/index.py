"""An index version with all that reads and fills it: its store, its embedder, its words."""

from __future__ import annotations

from dataclasses import dataclass

from rag.embed import Embedder, make_embedder
from rag.embed.lexical import Lexical
from rag.settings import Settings
from rag.store import Store, open_store
from rag.versions import FIRST, Recipe, Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One version. `settings` are those it was made with, where they decide what is in it."""

    version: str
    settings: Settings
    store: Store
    embedder: Embedder
    lexical: Lexical


def open_index(settings: Settings, *, version: str = "") -> Index:
    """The live version, or the one named. Raises ConfigError, WeightsError, ModelError or StoreError.

    A version keeps the embedder it was made with, whatever the settings say now; one that is yet to be made takes
    them from the settings.
    """
    versions = Versions(settings)
    name = version or versions.live() or FIRST
    recipe = versions.recipe(name)
    made = as_made(settings, recipe) if recipe else settings
    embedder = make_embedder(made)
    store = open_store(made, version=name, embedder=embedder)
    return Index(version=name, settings=made, store=store, embedder=embedder, lexical=Lexical(made.retrieve.language))


def as_made(settings: Settings, recipe: Recipe) -> Settings:
    """The settings with what the recipe fixes in place of what they say now."""
    return settings.model_copy(
        update={
            "roles": settings.roles.model_copy(update={"embed": recipe.embed}),
            "ingest": settings.ingest.model_copy(update={"chunk_tokens": recipe.chunk_tokens}),
            "retrieve": settings.retrieve.model_copy(update={"language": recipe.language}),
        }
    )
