"""A file that is replaced whole."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# As much as the umask of the process lets through.
USUAL = 0o666
# For what holds the texts of users.
PRIVATE = 0o600


@contextmanager
def replacing(path: Path, *, mode: int = USUAL) -> Iterator[BinaryIO]:
    """Write to the file that takes the place of `path` at the end; an exception leaves everything as it was.

    Readers find the old bytes or the new ones, through a crash and a power cut too; durable at the end. A link stays
    one, and what is replaced keeps its mode; `mode`, less the umask, is that of a new file. Raises OSError.
    """
    place = Path(os.path.realpath(path))
    draft = place.with_name(f".{uuid.uuid4().hex}.new")
    kept = _mode(place)
    # Never more open than in the end, not even for a moment: who has opened a file can go on reading it.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode if kept is None else kept)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if kept is not None:
                os.fchmod(descriptor, kept)
            yield file
            file.flush()
            os.fsync(descriptor)
        draft.replace(place)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync(place.parent)


def replace_text(path: Path, text: str, *, mode: int = USUAL) -> None:
    """Replace a file by this text, as `replacing` does."""
    with replacing(path, mode=mode) as file:
        file.write(text.encode())


def _mode(path: Path) -> int | None:
    """The mode of a file; None where there is none."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def _sync(folder: Path) -> None:
    """The new name is in the folder, which has to reach the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
