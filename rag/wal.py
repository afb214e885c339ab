"""SQLite files that several processes use at once."""

from __future__ import annotations

import sqlite3
import time

_PAUSE_S = 0.02


def run_script(db: sqlite3.Connection, script: str, *, wait_s: float) -> None:
    """Run a script that makes the file a WAL one; may be repeated. Raises sqlite3.OperationalError after `wait_s`.

    SQLite itself does not wait for others that make the same file a WAL one at this moment.
    """
    end = time.monotonic() + wait_s
    while True:
        try:
            db.executescript(f"PRAGMA journal_mode = WAL; {script}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_PAUSE_S)
        else:
            return
