"""Waits until documents may have changed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingest.sources import open_source
from ingest.sources.files import Files
from rag.settings import Settings

TICK_S = 0.5
POLL_MS = 2_000


def changes(places: Sequence[str], *, settings: Settings, stop: threading.Event) -> Iterator[None]:
    """Yield once at the beginning, then whenever something below the places may have changed, until `stop` is set.

    Folders tell of changes by themselves; files are looked at twice a second. All places, those on the web too, count
    as changed after `ingest.watch_interval_s`. What happens while the caller is at work is told afterwards.
    """
    sources = [open_source(place, settings=settings) for place in places]
    tops = [source.top for source in sources if isinstance(source, Files)]
    while not stop.is_set():
        yield from _round(tops, settings, stop)


def _round(tops: Sequence[Path], settings: Settings, stop: threading.Event) -> Iterator[None]:
    """One interval. Its first yield comes when the watch has begun, so that nothing falls between two rounds."""
    files = [top for top in tops if not top.is_dir()]
    folders = [top.absolute() for top in tops if top.is_dir()]
    end = time.monotonic() + settings.ingest.watch_interval_s
    before = None
    for is_told in _signs(folders, settings, stop):
        if stop.is_set() or (before is not None and time.monotonic() >= end):
            return
        now = [_stamp(file) for file in files]
        if is_told or now != before:
            before = now
            yield


def _signs(folders: Sequence[Path], settings: Settings, stop: threading.Event) -> Iterator[bool]:
    """Twice a second, or at once where a folder changed: whether one did."""
    if not folders:
        while True:
            yield False
            stop.wait(TICK_S)
    for polling in (False, True):  # looked at again and again where the system is out of watches
        try:
            yield from _told(folders, settings, stop, polling=polling)
        except (OSError, RuntimeError):
            stop.wait(TICK_S)  # a folder may also be gone just now: the next round knows
        else:
            return


def _told(folders: Sequence[Path], settings: Settings, stop: threading.Event, *, polling: bool) -> Iterator[bool]:
    from watchfiles import watch

    own = Path(os.path.abspath(settings.data_path))  # noqa: PTH100 - resolve() would follow links
    quiet_ms = int(settings.ingest.watch_quiet_s * 1000)
    watched = watch(
        *folders,
        watch_filter=lambda _, path: _is_document(Path(path), folders, own),
        debounce=10 * quiet_ms,
        step=quiet_ms,
        stop_event=stop,
        rust_timeout=int(TICK_S * 1000),
        yield_on_timeout=True,
        force_polling=polling or None,
        poll_delay_ms=POLL_MS,
        ignore_permission_denied=True,
    )
    yield from (bool(found) for found in watched)


def _is_document(path: Path, folders: Sequence[Path], own: Path) -> bool:
    """Whether a change may concern a document: nothing hidden, and not the index that an ingest writes."""
    inside = next((path.relative_to(top) for top in folders if path.is_relative_to(top)), path)
    return not (path.is_relative_to(own) or any(part.startswith(".") for part in inside.parts))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns
