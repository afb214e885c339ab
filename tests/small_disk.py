"""A disk of a few megabytes, to be filled."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, *, megabytes: int) -> Iterator[Path]:
    """A disk at that place; skips where this user may not mount one."""
    place.mkdir()
    if problem := mount(place, f"size={megabytes}m"):
        pytest.skip(f"only root can mount a disk to fill; test_spool.py fills one by a limit: {problem}")
    try:
        yield place
    finally:
        subprocess.run([shutil.which("umount") or "", "-l", str(place)], check=True)


def mount(place: Path, options: str) -> str:
    """Mount a disk, or change it with 'remount,size=200m'; returns what hinders it, '' for nothing."""
    command = [shutil.which("mount") or "false", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""
