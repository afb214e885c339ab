"""What benchmarks keep in the user's cache folder, as JSON objects, a line each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def file(name: str, *folders: str) -> Path:
    """The file called so, in which benchmarks keep something; a name may hold any characters."""
    plain = re.sub(r"[^\w.-]+", "-", name)
    return user_cache_path("plumbline").joinpath("bench", *folders, f"{plain}.jsonl")


class Kept:
    """A file of results that are kept as they come, known by their `id`."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a last line that was cut off is left out."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self._known = {found["id"]: found for line in lines if (found := _parsed(line))}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known)

    def get(self, name: str) -> dict[str, Any] | None:
        """The result of this id, if there is one."""
        return self._known.get(name)

    def add(self, result: Mapping[str, Any]) -> None:
        """Keep a result."""
        self._known[result["id"]] = dict(result)
        with self.path.open("a", encoding="utf-8") as opened:
            # A line that was cut off before must not swallow this one.
            opened.write(f"\n{json.dumps(result, ensure_ascii=False)}")


def written(name: str, results: Iterable[DataclassInstance]) -> Path:
    """The file in which all results can be read; what was there before is gone."""
    path = file(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(asdict(one), ensure_ascii=False)}\n" for one in results), encoding="utf-8")
    return path


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "id" in found else None
