"""What a command of plumb says, asked as a person would type it: `ui` and `evals` don't know each other."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import streamlit as st

from rag import itself
from rag.errors import PlumbError

TIMEOUT_S = 120.0
MOST_CHARS = 50_000_000
MOST_COMPLAINED = 500
# How long what was said is kept, where none of the files that it was read from changed.
KEPT_S = 300

# Each takes a process of its own: one at a time, however many people look.
_TURN = threading.Lock()


def said(*command: str, reads: Iterable[Path]) -> Any:
    """The JSON that a command says; said again from memory as long as the files that it `reads` stay the same.

    Raises PlumbError with the command's own complaint, and for one that takes too long or says too much.
    """
    return _said(command, tuple(_stamp(path) for path in reads))


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), found.st_mtime_ns, found.st_size


@st.cache_data(ttl=KEPT_S, max_entries=50, show_spinner="Reading …")
def _said(
    command: tuple[str, ...],
    stamps: tuple[tuple[str, int, int], ...],  # noqa: ARG001 - a part of the cache's key
) -> Any:
    with _TURN, tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as complained:
        code = _run(command, told, complained)
        text, complaints = _read(told), _read(complained).splitlines()
    if code:
        last = complaints[-1] if complaints else f"it ended with {code}"
        raise _failed(command, last.removeprefix("plumb: ")[:MOST_COMPLAINED])
    if len(text) > MOST_CHARS:
        raise _failed(command, f"it said more than {MOST_CHARS:,} characters")
    return json.loads(text)


def _run(command: tuple[str, ...], told: IO[bytes], complained: IO[bytes]) -> int:
    """Run a command to its end; returns its exit code. Raises PlumbError."""
    try:
        return subprocess.run(
            itself.command(command),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=complained,
            env=itself.environment({"NO_COLOR": "1"}),
            timeout=TIMEOUT_S,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        raise _failed(command, f"it took longer than {TIMEOUT_S:.0f} s") from None


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(MOST_CHARS + 1).decode(errors="replace")


def _failed(command: tuple[str, ...], why: str) -> PlumbError:
    return PlumbError(f"plumb {' '.join(command[:2])}: {why}")
