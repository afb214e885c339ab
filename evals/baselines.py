"""Runs by name: a file, an id, 'latest', or a baseline that somebody named."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from evals.metrics import score
from evals.records import Run, load_run
from rag.durable import replace_text
from rag.errors import InputError, StoreError
from rag.settings import Settings

LOCK_S = 10.0
LATEST = "latest"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A run with a name. `path` starts at the folder of the settings if it lies below; `sha256` is that of its file."""

    name: str
    run_id: str
    path: str
    sha256: str
    set_at: str


_BASELINES = TypeAdapter(dict[str, Baseline])


def find_run(settings: Settings, name: str) -> Run:
    """The run that a baseline, 'latest', a file, an id or the beginning of one names, in this order.

    'latest' is the last that asked all of what it was to ask: no run of answers that users got, none that ended early.
    It is scored with the metrics of today. Raises InputError when there is none, or more than one, and for a baseline
    whose file has changed.
    """
    return score(load_run(find_file(settings, name)))


def find_baseline(settings: Settings, name: str) -> Run:
    """The run that a gate holds others against, by any name of a run. Raises InputError as `find_run`."""
    try:
        return find_run(settings, name)
    except InputError as error:
        if baselines(settings):
            raise
        raise InputError(
            f"there is no baseline yet, and {error.seen}",
            expected="a run to hold this one against",
            remedy=f"name one: plumb eval baseline {name} RUN",
        ) from None


def require_baseline(settings: Settings, name: str) -> Run:
    """The run that has this name. Raises InputError where none has."""
    if name not in baselines(settings):
        raise InputError(
            f"no run is called '{name}'",
            expected="a baseline to hold a change against",
            remedy=f"name one: plumb eval baseline {name} RUN",
        )
    return find_run(settings, name)


def set_baseline(settings: Settings, name: str, run: str) -> Baseline:
    """Give a run a name, in place of the run that has it.

    Raises InputError, also for answers that users got: no other run is of the same questions. StoreError for the disk.
    """
    from filelock import FileLock, Timeout

    if not NAME.fullmatch(name) or name == LATEST:
        raise InputError(
            f"'{name}' is no name for a baseline", expected="letters, digits, _ . -", remedy="choose another"
        )
    path = find_file(settings, run)
    kept, file = _baseline(settings, name, path), baselines_path(settings)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.name}.lock"), timeout=LOCK_S):
            told = {**baselines(settings), name: kept}
            values = {each: asdict(one) for each, one in sorted(told.items())}
            replace_text(file, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    except (OSError, Timeout) as error:
        raise StoreError(f"{file}: {error}", expected="a place for the baselines", remedy="see data_dir") from error
    return kept


def baselines(settings: Settings) -> dict[str, Baseline]:
    """All named runs. Raises InputError for a file that holds something else."""
    file = baselines_path(settings)
    if not file.exists():
        return {}
    try:
        return _BASELINES.validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(
            f"{file} is no list of baselines: {str(error).splitlines()[0]}",
            expected="what 'plumb eval baseline' writes",
            remedy="mend or remove it",
        ) from None


def check_no_baseline(settings: Settings, path: Path) -> None:
    """Raise InputError if the run of a baseline is kept there: to write it anew would end what is held against it."""
    for one in baselines(settings).values():
        if (settings.root / one.path).resolve() == path.resolve():
            raise InputError(
                f"{path} is the run of the baseline '{one.name}'",
                expected="a file that nothing is held against",
                remedy=f"name another with --out, and then 'plumb eval baseline {one.name}' with it",
            )


def baselines_path(settings: Settings) -> Path:
    """Where they are kept."""
    return settings.data_path / "evals" / "baselines.json"


def _baseline(settings: Settings, name: str, path: Path) -> Baseline:
    whole = path.resolve()
    is_below = whole.is_relative_to(settings.root.resolve())
    run = load_run(path)
    if not run.dataset.sha256:
        raise InputError(
            f"{run.id} holds answers that users got", expected="a run of a dataset", remedy="see 'plumb eval runs'"
        )
    return Baseline(
        name=name,
        run_id=run.id,
        path=str(whole.relative_to(settings.root.resolve()) if is_below else whole),
        sha256=_digest(path),
        set_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def find_file(settings: Settings, name: str) -> Path:
    """Where the run of that name is kept. Raises InputError as `find_run`."""
    named = baselines(settings).get(name)
    if named:
        return _unchanged(named, settings.root / named.path)
    if name == LATEST:
        return _latest(settings)
    if Path(name).is_file():
        return Path(name)
    chosen = [path for path in _kept(settings) if path.stem.startswith(name)]
    exact = [path for path in chosen if path.stem == name]
    if len(exact or chosen) == 1:
        return (exact or chosen)[0]
    known = ", ".join(baselines(settings)) or "none"
    raise InputError(
        f"'{name}' names {len(chosen)} runs" if chosen else f"no run '{name}'",
        expected=f"a run file, the id of a run or its beginning, 'latest', or a baseline ({known})",
        remedy="'plumb eval run' makes a run, 'plumb eval baseline NAME RUN' names one",
    )


def _latest(settings: Settings) -> Path:
    for path in reversed(_kept(settings)):
        try:
            run = load_run(path)
        except InputError:  # 'plumb eval runs' tells of it
            continue
        if run.is_whole and run.dataset.sha256:
            return path
    raise InputError(
        "no run 'latest'",
        expected="a run that asked all questions of a dataset",
        remedy="'plumb eval run' makes one, 'plumb eval runs' lists what there is",
    )


def _kept(settings: Settings) -> list[Path]:
    return sorted((settings.data_path / "runs").glob("*.json"))


def _unchanged(named: Baseline, path: Path) -> Path:
    if not path.is_file() or _digest(path) != named.sha256:
        seen = "has changed" if path.is_file() else "is gone"
        raise InputError(
            f"the run of the baseline '{named.name}', {path}, {seen}",
            expected="the file as it was when it got its name",
            remedy=f"bring it back, or name another with 'plumb eval baseline {named.name} RUN'",
        )
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
