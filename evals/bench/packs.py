"""The packs of test data that benchmarks use; they are not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

from evals.bench.figures import Note
from evals.bench.project import REPOSITORY


def found_pack(name: str) -> Path | None:
    """The file of a pack in the folder that PLUMB_TEST_DATA names, by default ../shared/data beside the repository."""
    folder = Path(os.environ.get("PLUMB_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    return folder / name if (folder / name).is_file() else None


def skipped(name: str) -> Note:
    """What a benchmark says when its pack is not here."""
    return Note(text=f"skipped: no {name} in the folder of PLUMB_TEST_DATA (default ../shared/data)")
