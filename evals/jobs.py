"""What is done again and again: the commands of a job, run one after the other as a person would type them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evals.drift.observation import OLDEST
from evals.notify import Level, News
from evals.run import stamp
from rag import itself
from rag.sections import Job
from rag.settings import Settings

# The exit codes of a gate and of a comparison of canaries that could not tell.
OPEN = 3
MOST_CHARS = 20_000
SAID: Mapping[str, str] = {"ok": "nothing to report", "open": "could not tell", "alarm": "look at this"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command that was run. `code` is its exit code, None where it took too long; `said` is the end of its words."""

    command: tuple[str, ...]
    code: int | None
    seconds: float
    said: str


def commands(job: Job, run_file: Path, observed: Path) -> list[tuple[str, ...]]:
    """The job as commands of plumb, each alone what a person would type.

    What is asked is kept in these two files, and those are looked at: where nothing could be asked, there is none. The
    first observation that a project keeps is the oldest: there is nothing to hold it against.
    """
    found: list[tuple[str, ...]] = []
    if job.dataset:
        found.append(("eval", "run", job.dataset, "--repeat", str(job.repeat), "--out", str(run_file)))
        found.append(("eval", "gate", str(run_file), "--markdown"))
    if job.canaries:
        found.append(("eval", "canary", "run", job.canaries, "--repeat", str(job.repeat), "--out", str(observed)))
        if job.reference != OLDEST or any(observed.parent.glob("*.json")):
            found.append(("eval", "drift", job.reference, str(observed), "--markdown"))
    if job.live:
        found.append(("eval", "drift", "--live", job.live, "--markdown"))
    return found


def perform(name: str, job: Job, settings: Settings) -> tuple[Step, ...]:
    """Run the commands of a job; one that fails does not keep the others from being run."""
    file = f"{stamp(datetime.now(UTC))}-{name}.json"
    asked = commands(job, settings.data_path / "runs" / file, settings.data_path / "evals" / "observations" / file)
    return tuple(_step(command, settings.root, timeout_s=job.timeout_minutes * 60) for command in asked)


def news(name: str, steps: Sequence[Step]) -> News:
    """What the steps say together.

    That some question failed, as a command that asks tells by its code, is no alarm by itself: what looks at the
    answers decides.
    """
    level = _level(steps)
    parts = [f"$ plumb {' '.join(step.command)}\n{_ended(step)}\n\n{step.said.strip()}" for step in steps]
    return News(job=name, level=level, title=f"{name}: {SAID[level]}", text="\n\n".join(parts))


def _level(steps: Sequence[Step]) -> Level:
    codes = [0 if _asks(step) and step.code == 1 else step.code for step in steps]
    if any(code not in (0, OPEN) for code in codes):
        return "alarm"
    return "open" if OPEN in codes else "ok"


def _asks(step: Step) -> bool:
    return step.command[:2] == ("eval", "run") or step.command[:3] == ("eval", "canary", "run")


def _ended(step: Step) -> str:
    told = "took too long and was ended" if step.code is None else f"exit code {step.code}"
    return f"{told}, {step.seconds:.0f} s"


def _step(command: tuple[str, ...], folder: Path, *, timeout_s: float) -> Step:
    began = time.monotonic()
    with subprocess.Popen(
        itself.command(command),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        env=itself.environment({"NO_COLOR": "1"}),
    ) as process:
        try:
            said, _ = process.communicate(timeout=timeout_s)
            code: int | None = process.returncode
        except BaseException as error:
            # What it started goes with it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            code = None
    return Step(command=command, code=code, seconds=time.monotonic() - began, said=said[-MOST_CHARS:])
