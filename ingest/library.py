"""What is in a version of the index, document by document, and the right to change it."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.manifest import Manifest
from ingest.turn import Turn
from rag.errors import StoreError
from rag.index import Index
from rag.settings import Settings
from rag.versions import FIRST, Recipe, Versions


class Library:
    """The documents of one version of the index."""

    def __init__(self, settings: Settings, version: str = "") -> None:
        """The live version, or the one named, which need not be there yet."""
        self.settings = settings
        self._versions = Versions(settings)
        self.version = version or self._versions.live() or FIRST
        folder = self._versions.folder / self.version
        self.manifest = Manifest(folder / "manifest.db")
        self.turn = Turn(folder / "ingest.lock")

    @property
    def name(self) -> str:
        """The collection and the version, for people and traces."""
        return f"{self.settings.store.collection} {self.version}"

    def places(self) -> dict[str, str]:
        """The documents it holds, those being written, and those it could not take: name -> place they came from."""
        failed = {failure.uri: failure.source for failure in self.manifest.failures().values()}
        held = (*self.manifest.begun(), *self.manifest.records().values())
        return failed | {record.uri: record.source for record in held}

    def make(self, index: Index, *, parser: int) -> None:
        """Note what the version is made with, unless that is known already."""
        if self._versions.recipe(self.version) is None:
            self._versions.create(self.version, Recipe.of(index.settings, parser=parser))

    def require_own(self, index: Index) -> None:
        """Raise StoreError for chunks that are told of elsewhere: here they would count as nobody's, and be removed."""
        if self._versions.recipe(self.version) is None and (chunks := index.store.count()):
            raise StoreError(
                f"the index {self.name} holds {chunks:,} chunks, and {self._versions.folder} tells of none",
                expected="the data_dir of the machine that filled it",
                remedy="ingest there, copy this folder from there, or name another store.collection",
            )

    def differs(self, parser: int) -> tuple[str, ...]:
        """What the settings and this code would make otherwise than the version is made, in words."""
        made = self._versions.recipe(self.version)
        return made.differences(Recipe.of(self.settings, parser=parser)) if made else ()


def places_of(settings: Settings, names: Iterable[str]) -> list[str]:
    """Names in the index as places for an ingest: a path below the project's folder is made absolute."""
    return [name if "://" in name or name.startswith("reader:") else str(settings.root / name) for name in names]
