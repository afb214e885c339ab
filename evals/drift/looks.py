"""How often one looked at a reference: each look spends a part of the allowed false alarms."""

from __future__ import annotations

import json
from pathlib import Path

from filelock import FileLock, Timeout

from rag.durable import replace_text
from rag.errors import PlumbError
from rag.settings import Settings

WAIT_S = 10.0


def look(settings: Settings, reference: str, now: str) -> int:
    """The number of the look at `reference` that compares it with `now`, from 1; looking again is the same look.

    Raises PlumbError for a folder that can't be written.
    """
    file = settings.data_path / "evals" / "looks.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock"), timeout=WAIT_S):
            looks = _read(file)
            seen = looks.setdefault(reference, [])
            if now not in seen:
                seen.append(now)
                replace_text(file, json.dumps(looks, indent=1, ensure_ascii=False) + "\n")
            return seen.index(now) + 1
    except (OSError, Timeout, ValueError) as error:
        raise PlumbError(
            f"can't keep count of looks in {file}: {error}",
            expected="a writable file of 'plumb eval drift'",
            remedy="check the disk and its rights; removing the file begins the count anew",
        ) from None


def _read(file: Path) -> dict[str, list[str]]:
    looks = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if not isinstance(looks, dict) or not all(isinstance(seen, list) for seen in looks.values()):
        raise ValueError("it holds something else")
    return looks
