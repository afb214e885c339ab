"""What a kept result rests on, as one short text: it changes when the data or the code does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from evals.bench.project import REPOSITORY


def stamp(pack: Path, places: Sequence[str]) -> str:
    """16 hex digits of a pack and of the code below `places`, files or folders of the repository."""
    digest = hashlib.sha256(pack.read_bytes())
    for place in places:
        whole = REPOSITORY / place
        for file in (
            sorted(file for file in whole.rglob("*") if file.suffix in (".py", ".md")) if whole.is_dir() else [whole]
        ):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
