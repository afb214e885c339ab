"""Changes that came into force through the gate: each kept with its evidence, the last one taken back at a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from evals.baselines import Baseline, baselines, set_baseline
from evals.change import Before, Change, apply, before, changed_settings, undo
from evals.gate import Decision
from evals.records import Run
from rag.errors import InputError, StoreError
from rag.journal import append, entries
from rag.settings import Settings
from rag.versions import Versions

LOCK_S = 10.0
# What was begun may be in force in part: a crash came between.
State = Literal["begun", "in force", "taken back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A change, what was in force before it, and how far it came; `at` is UTC in ISO 8601.

    It rests on the `decision` of the gate, as it stands in the log of decisions. `baseline` is the run that had the
    baseline's name before.
    """

    id: str
    at: str
    state: State
    change: Change
    before: Before
    decision: Decision
    run_file: str
    baseline: Baseline


def promote(settings: Settings, change: Change, run: Run, file: Path, decision: Decision) -> Promotion:
    """Bring a change into force whose run passed; its run is the baseline from then on.

    Raises InputError for a decision that is not a pass of this run, or if what is in force is not what it was held
    against and asked with any more.
    """
    with _turn(settings):
        _check(settings, change, run, decision)
        begun = Promotion(
            id=run.id,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            state="begun",
            change=change,
            before=before(change, run),
            decision=decision,
            run_file=str(file),
            baseline=baselines(settings)[decision.baseline],
        )
        append(promotions_path(settings), begun)
        apply(change, begun.before)
        set_baseline(settings, decision.baseline, str(file))
        done = replace(begun, state="in force")
        append(promotions_path(settings), done)
    return done


def roll_back(settings: Settings) -> Promotion:
    """Take back the last change that is in force, and give the baseline its name back if its file is still there.

    Raises InputError where there is none, or where somebody changed the same since.
    """
    with _turn(settings):
        standing = [one for one in promotions(settings) if one.state != "taken back"]
        if not standing:
            raise InputError("nothing was promoted that is in force", expected="a change to take back")
        last = standing[-1]
        undo(last.change, last.before)
        run = settings.root / last.baseline.path
        if run.is_file():
            set_baseline(settings, last.baseline.name, str(run))
        taken = replace(last, state="taken back")
        append(promotions_path(settings), taken)
    return taken


def promotions(settings: Settings) -> Sequence[Promotion]:
    """All promotions, oldest first, each as it stands now."""
    standing: dict[str, Promotion] = {}
    for one in entries(promotions_path(settings), Promotion):
        standing[one.id] = one
    return list(standing.values())


def promotions_path(settings: Settings) -> Path:
    """Where they are kept."""
    return settings.data_path / "evals" / "promotions.jsonl"


def _check(settings: Settings, change: Change, run: Run, decision: Decision) -> None:
    """Raise InputError unless the run passed, against the baseline of now, as what the change makes of what is now."""
    if decision.verdict != "pass" or decision.run != run.id:
        raise InputError(f"the gate said {decision.verdict} to {decision.run}", expected=f"a pass of {run.id}")
    named = baselines(settings).get(decision.baseline)
    wanted = changed_settings(change)
    index = change.index or Versions(settings).live()
    same = {
        f"the baseline '{decision.baseline}'": (named.run_id if named else "gone", decision.baseline_run),
        "what the settings come to": (wanted.config_hash(), run.config_hash),
        "the index": (f"{wanted.store.collection} {index}", run.index.name),
    }
    for what, (now, then) in same.items():
        if now != then:
            raise InputError(
                f"{what} is {now} by now", expected=f"{then}, as when it was asked", remedy="promote again"
            )


@contextmanager
def _turn(settings: Settings) -> Iterator[None]:
    """One promotion at a time."""
    from filelock import FileLock, Timeout

    path = promotions_path(settings).with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path, timeout=LOCK_S):
            yield
    except Timeout as error:
        raise StoreError("something is being promoted", expected="one at a time", remedy="wait for it") from error
    except OSError as error:
        raise StoreError(f"{path}: {error}", expected="a file to lock", remedy="see data_dir") from error
