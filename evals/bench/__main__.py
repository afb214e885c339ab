"""`python -m evals.bench [NAME...]`: run the benchmarks; exit code 1 when a bar was missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from importlib import import_module

from evals.bench.figures import Line, Measured, about
from evals.machine import this_machine
from rag.errors import PlumbError

NAMES = (
    "cold",
    "formats",
    "retrieval",
    "filling",
    "memory",
    "latency",
    "concurrent",
    "tracing",
    "planted",
    "cache",
    "handbook",
)
# Those that take long, or are for tuning, are run when they are named.
LONG = ("squad2", "squad2-tuning", "injection", "strategies", "judge", "gate", "rehearsal", "drift")


def bench(name: str, *, limit: int | None) -> Iterator[Line]:
    """The lines of one benchmark as they are measured; `limit` bounds its questions or repetitions."""
    module = import_module(f"evals.bench.{name.partition('-')[0]}")
    measure: Callable[..., Iterator[Line]] = module.measure_tuning if name.endswith("-tuning") else module.measure
    yield from measure(limit=limit)


def main(arguments: list[str] | None = None) -> int:
    """Run the named benchmarks; by default all that don't take long."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)} (default); {', '.join(LONG)}"
    )
    parser.add_argument("--limit", type=int, help="ask or repeat at most so often: to see it work, not to measure")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.names if name not in (*NAMES, *LONG)]:
        parser.error(f"unknown benchmark {', '.join(unknown)}; expected {', '.join((*NAMES, *LONG))}")
    print(about(this_machine()).text)
    missed = 0
    for name in chosen.names or NAMES:
        print(f"\n{name}", flush=True)
        missed += _show(bench(name, limit=chosen.limit))
    return 1 if missed else 0


def _show(lines: Iterator[Line]) -> int:
    missed = 0
    try:
        for line in lines:
            print(f"  {line.line() if isinstance(line, Measured) else line.text}", flush=True)
            missed += isinstance(line, Measured) and line.missed
    except PlumbError as error:
        print(f"  failed: {error}", flush=True)
        missed += 1
    return missed


if __name__ == "__main__":
    sys.exit(main())
