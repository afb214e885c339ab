"""Changes that came into force through the gate: each kept with its evidence, the last one taken back at a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from evals.baselines import Baseline, baselines, set_baseline
from evals.change import Before, Change, apply, undo
from evals.gate import Decision
from evals.log import append, entries
from evals.records import Run
from rag.errors import InputError
from rag.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A change that is in force, or was until `rolled_back_at`. Times are UTC in ISO 8601.

    It rests on the `decision` of the gate, as it stands in the log of decisions. `baseline` is the run that had the
    baseline's name before; None where none had it.
    """

    id: str
    at: str
    change: Change
    before: Before
    decision: Decision
    run_file: str
    baseline: Baseline | None
    rolled_back_at: str = ""


def promote(settings: Settings, change: Change, run: Run, file: Path, decision: Decision) -> Promotion:
    """Bring a change into force whose run passed; its run is the baseline from then on.

    Raises InputError for a decision that is not a pass of this run.
    """
    if decision.verdict != "pass" or decision.run != run.id:
        raise InputError(f"the gate said {decision.verdict} to {decision.run}", expected=f"a pass of {run.id}")
    had = baselines(settings).get(decision.baseline)
    before = apply(change, run)
    set_baseline(settings, decision.baseline, str(file))
    done = Promotion(
        id=run.id,
        at=_now(),
        change=change,
        before=before,
        decision=decision,
        run_file=str(file),
        baseline=had,
    )
    append(promotions_path(settings), done)
    return done


def roll_back(settings: Settings) -> Promotion:
    """Take back the last change that is in force, and give the baseline its name back.

    Raises InputError where there is none, or where somebody changed the same since.
    """
    standing = [one for one in promotions(settings) if not one.rolled_back_at]
    if not standing:
        raise InputError("nothing was promoted that is in force", expected="a change to take back")
    last = standing[-1]
    undo(last.change, last.before)
    if last.baseline:
        set_baseline(settings, last.baseline.name, str(settings.root / last.baseline.path))
    taken = replace(last, rolled_back_at=_now())
    append(promotions_path(settings), taken)
    return taken


def promotions(settings: Settings) -> Sequence[Promotion]:
    """All promotions, oldest first, each as it stands now."""
    standing: dict[tuple[str, str], Promotion] = {}
    for one in entries(promotions_path(settings), Promotion):
        standing[one.id, one.at] = one
    return list(standing.values())


def promotions_path(settings: Settings) -> Path:
    """Where they are kept."""
    return settings.data_path / "evals" / "promotions.jsonl"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
