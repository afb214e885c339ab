"""What is known of judges: how far each agreed with people, kept in the project's folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from evals.records import JudgeUsed
from rag.durable import replace_text
from rag.errors import StoreError
from rag.settings import Settings

LOCK_S = 10.0
_KNOWN = TypeAdapter(list[JudgeUsed])


def with_agreement(settings: Settings, used: JudgeUsed) -> JudgeUsed:
    """The same judge with what was last measured of it. Raises StoreError for a file that can't be read."""
    plain = _plain(used)
    return next((one for one in _read(_path(settings)) if _plain(one) == plain), used)


def keep(settings: Settings, used: JudgeUsed) -> None:
    """Keep the agreement of a judge in the place of what was known of it. Raises StoreError."""
    path = _path(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_S):
            others = [one for one in _read(path) if _plain(one) != _plain(used)]
            replace_text(path, _KNOWN.dump_json([*others, used], indent=1).decode())
    except (OSError, Timeout) as error:
        raise StoreError(f"{path}: {error}", expected="a place to keep what judges are worth") from error


def _plain(used: JudgeUsed) -> JudgeUsed:
    return replace(used, agreement=None, labelled="")


def _path(settings: Settings) -> Path:
    return settings.data_path / "evals" / "judges.json"


def _read(path: Path) -> list[JudgeUsed]:
    try:
        return _KNOWN.validate_json(path.read_bytes()) if path.exists() else []
    except (OSError, ValidationError) as error:
        raise StoreError(
            f"{path} can't be read: {error}", expected="what 'plumb eval calibrate' wrote", remedy="remove the file"
        ) from None
