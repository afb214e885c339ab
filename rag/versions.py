"""Versions of an index: which there are, what each was made with, which one is live.

A change of embedder, chunking or parser makes another version beside the live one; questions are answered from the
live one until the switch, which is one step. Below `<data_dir>/index/<collection>/` each version has a folder with its
manifest and, embedded, its store. What is live stands in `live.json` there, for a Qdrant server in an alias there.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rag.durable import replace_text
from rag.errors import InputError, StoreError
from rag.settings import Settings, secret

FIRST = "v1"
# The settings that a recipe fixes, and the tables they stand in: one of each.
_SECTIONS = {
    "embed": "roles",
    "chunking": "ingest",
    "chunk_tokens": "ingest",
    "parent_tokens": "ingest",
    "language": "retrieve",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a version was made with; `parser` is the number of the parsing and cutting code."""

    embed: str
    chunking: str = "title"
    chunk_tokens: int
    parent_tokens: int = 400
    language: str
    parser: int
    made_at: float

    @classmethod
    def of(cls, settings: Settings, *, parser: int) -> Recipe:
        """What a version made now with these settings is made with."""
        values = {name: getattr(getattr(settings, section), name) for name, section in _SECTIONS.items()}
        return cls(**values, parser=parser, made_at=time.time())

    def applied(self, settings: Settings) -> Settings:
        """The settings with what the recipe fixes in place of what they say now."""
        fixed: dict[str, dict[str, Any]] = {}
        for name, section in _SECTIONS.items():
            fixed.setdefault(section, {})[name] = getattr(self, name)
        changed = {section: getattr(settings, section).model_copy(update=values) for section, values in fixed.items()}
        return settings.model_copy(update=changed)

    def differences(self, wanted: Recipe) -> tuple[str, ...]:
        """What another recipe makes otherwise, in words."""
        matters = [n for n in _SECTIONS if n != "parent_tokens" or "parent" in (self.chunking, wanted.chunking)]
        pairs = [(f"{_SECTIONS[n]}.{n}", getattr(self, n), getattr(wanted, n)) for n in matters]
        told = [f"{key} {old}, now {new}" for key, old, new in pairs if old != new]
        return (*told, *(["an older parser"] if self.parser < wanted.parser else []))


class Versions:
    """The versions of the index that the settings name. Every method raises StoreError when disk or server refuse."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is read yet."""
        self._settings = settings
        self.folder = settings.data_path / "index" / _label(settings)

    def names(self) -> list[str]:
        """All versions, oldest first."""
        found = self.folder.glob("[!.]*/recipe.json") if self.folder.is_dir() else ()
        return sorted((file.parent.name for file in found), key=_natural)

    def live(self) -> str:
        """The version that answers; '' when there is none yet."""
        if self._settings.store.kind == "server":
            return str(self._alias.live())
        return str(self._state().get("live", ""))

    def recipe(self, name: str) -> Recipe | None:
        """What a version was made with; None for one that is not here (but may be on a server)."""
        file = self.folder / name / "recipe.json"
        try:
            return Recipe(**json.loads(file.read_text())) if file.is_file() else None
        except (OSError, ValueError, TypeError) as error:
            raise _unusable(file, error) from None

    def require(self, name: str) -> Recipe:
        """As `recipe()`; raises InputError when there is none of that name."""
        recipe = self.recipe(name)
        if recipe is None:
            raise InputError(
                f"there is no version '{name}' of the index",
                expected=f"one of {', '.join(self.names()) or 'none yet'}",
                remedy="'plumb index list' shows them",
            )
        return recipe

    def create(self, name: str, recipe: Recipe) -> None:
        """Note a version that is about to be filled; the first one is live from then on."""
        self._write(self.folder / name / "recipe.json", asdict(recipe))
        if not self.live():
            self.switch(name)

    def switch(self, name: str) -> None:
        """Let questions be answered from another version, in one step. Raises InputError for an unknown one."""
        self.require(name)
        # On a server the alias tells what is live. Moved last: until then a rollback goes to what answers anyhow.
        self._write(self.folder / "live.json", {"live": name, "before": self.live()})
        if self._settings.store.kind == "server":
            self._alias.switch(name)

    def before(self) -> str:
        """The version that was live before the last switch; '' when there was none, or it is gone."""
        name = str(self._state().get("before", ""))
        return name if name and self.recipe(name) else ""

    def delete(self, name: str) -> None:
        """Remove a version with all its chunks; called while nobody fills it.

        Raises InputError for the live one and for an unknown one.
        """
        self.require(name)
        if name == self.live():
            raise InputError(
                f"version '{name}' is live",
                expected="another one",
                remedy="switch to another first: plumb index switch",
            )
        if self._settings.store.kind == "server":
            self._alias.delete(name)
        # Renamed first: half a version, as a crash would leave it, must not pass for a whole one.
        gone = self.folder / f".{name}.gone"
        try:
            shutil.rmtree(gone, ignore_errors=True)
            (self.folder / name).rename(gone)
            shutil.rmtree(gone)
        except OSError as error:
            raise _unusable(self.folder / name, error) from None

    def _state(self) -> Mapping[str, Any]:
        file = self.folder / "live.json"
        try:
            state = json.loads(file.read_text())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError) as error:
            raise _unusable(file, error) from None
        return state if isinstance(state, dict) else {}

    def _write(self, file: Path, content: Mapping[str, Any]) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_text(file, json.dumps(content))
        except OSError as error:
            raise _unusable(file, error) from None

    @cached_property
    def _alias(self) -> Any:
        from rag.store.server import Alias, connect

        store = self._settings.store
        client = connect(store.url, api_key=secret(store.api_key_env), timeout_s=store.timeout_s)
        return Alias(client, store.collection)


def _label(settings: Settings) -> str:
    """A folder name for each index: every server has its own."""
    store = settings.store
    if store.kind == "edge":
        return store.collection
    return f"{store.collection}@{hashlib.sha256(store.url.rstrip('/').encode()).hexdigest()[:8]}"


def _natural(name: str) -> tuple[str, int]:
    number = re.search(r"\d+$", name)
    return (name[: number.start()], int(number[0])) if number else (name, 0)


def _unusable(file: Path, error: Exception) -> StoreError:
    return StoreError(
        f"can't use {file}: {error}",
        expected="a writable folder made by this version",
        remedy="check the disk and its rights, or remove the folder and ingest again",
    )
