"""What is in a version of the index, document by document, and the right to change it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ingest.manifest import Manifest
from ingest.turn import Turn
from rag.index import Index
from rag.settings import Settings
from rag.versions import FIRST, Recipe, Versions


class Library:
    """The documents of one version of the index."""

    def __init__(self, settings: Settings, version: str = "") -> None:
        """The live version, or the one named, which need not be there yet."""
        self._versions = Versions(settings)
        self.version = version or self._versions.live() or FIRST
        folder = self._versions.folder / self.version
        self.manifest = Manifest(folder / "manifest.db")
        self.turn = Turn(folder / "ingest.lock")

    def places(self) -> dict[str, str]:
        """The documents it holds and those it could not take: name -> place they came from."""
        failed = {failure.uri: failure.source for failure in self.manifest.failures().values()}
        return failed | {record.uri: record.source for record in self.manifest.records().values()}

    def make(self, index: Index, *, parser: int) -> None:
        """Note what the version is made with, unless that is known already."""
        if self._versions.recipe(self.version) is None:
            self._versions.create(self.version, recipe_of(index.settings, parser=parser))

    def differs(self, settings: Settings, parser: int) -> tuple[str, ...]:
        """What the settings and this code would make otherwise than the version is made, in words."""
        made = self._versions.recipe(self.version)
        wanted = recipe_of(settings, parser=parser)
        if made is None:
            return ()
        names = (("roles.embed", "embed"), ("ingest.chunk_tokens", "chunk_tokens"), ("retrieve.language", "language"))
        pairs = [(label, getattr(made, name), getattr(wanted, name)) for label, name in names]
        told = [f"{label} {old}, now {new}" for label, old, new in pairs if old != new]
        return (*told, *(["an older parser"] if made.parser < parser else []))


def recipe_of(settings: Settings, *, parser: int) -> Recipe:
    """What a version made with these settings is made with."""
    return Recipe(
        embed=settings.roles.embed,
        chunk_tokens=settings.ingest.chunk_tokens,
        language=settings.retrieve.language,
        parser=parser,
        made_at=time.time(),
    )


def places_of(settings: Settings, names: Iterable[str]) -> list[str]:
    """Names in the index as places for an ingest: a path below the project's folder is made absolute."""
    return [name if "://" in name or name.startswith("reader:") else str(settings.root / name) for name in names]
