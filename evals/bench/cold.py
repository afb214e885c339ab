"""How long a command takes from a cold process: whole processes, timed from outside."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from evals.bench.figures import Line, Measured, Note
from evals.bench.project import HANDBOOK, new_project, require_examples
from rag.errors import PlumbError

REPEATS = 5
HELP_S = 0.4
SEARCH_S = 2.5
QUESTION = "How many days of annual leave does a full-time employee have?"
TIMEOUT_S = 600.0


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """`plumb --help` and `plumb search` on the handbook, the median of five processes each."""
    require_examples()
    repeats = min(limit or REPEATS, REPEATS)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        new_project(project)
        yield _timed(["--help"], project, name="plumb --help", bar_s=HELP_S, repeats=repeats)
        filling = run_plumb(["ingest", str(HANDBOOK)], project)
        yield Note(text=f"plumb ingest on the handbook, once: {filling:.1f} s")
        yield _timed(["search", QUESTION], project, name="plumb search", bar_s=SEARCH_S, repeats=repeats)


def _timed(arguments: Sequence[str], project: Path, *, name: str, bar_s: float, repeats: int) -> Measured:
    times = [run_plumb(arguments, project) for _ in range(repeats)]
    spread = f"median of {repeats}, {min(times):.2f}-{max(times):.2f} s"
    value = statistics.median(times)
    return Measured(name=name, value=value, reference=bar_s, against="the bar", unit="s", highest=True, note=spread)


def run_plumb(arguments: Sequence[str], project: Path) -> float:
    """Seconds of one process; raises PlumbError when it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        [*plumb_command(), *arguments],
        cwd=project,
        env=environment(),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    took = time.perf_counter() - started
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise PlumbError(
            f"plumb {arguments[0]} failed: {said[-1] if said else done.returncode}", expected="exit code 0"
        )
    return took


def environment() -> dict[str, str]:
    """The variables of a process that is to find the project it runs in."""
    return {name: value for name, value in os.environ.items() if name != "PLUMB_CONFIG"}


def plumb_command() -> list[str]:
    """What starts `plumb`."""
    script = Path(sys.executable).with_name("plumb")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "rag.cli"]
