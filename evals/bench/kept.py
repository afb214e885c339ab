"""Results that a long benchmark keeps as they come, so that a run that was interrupted goes on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Kept:
    """A file of JSON objects, a line each, known by their `id`."""

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
        with self.path.open("a", encoding="utf-8") as file:
            # A line that was cut off before must not swallow this one.
            file.write(f"\n{json.dumps(result, ensure_ascii=False)}")


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "id" in found else None
