"""`python -m evals.bench [NAME...]`: run the benchmarks; exit code 1 when a bar was missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from evals.bench.figures import Line, Measured, about
from evals.machine import this_machine
from rag.errors import PlumbError

NAMES = ("cold", "formats", "retrieval", "filling", "memory", "latency", "planted", "handbook")


def bench(name: str, *, limit: int | None) -> Iterator[Line]:
    """The lines of one benchmark as they are measured; `limit` bounds its questions or repetitions."""
    match name:
        case "cold":
            from evals.bench.cold import measure
        case "formats":
            from evals.bench.formats import measure
        case "retrieval":
            from evals.bench.retrieval import measure
        case "filling":
            from evals.bench.filling import measure
        case "memory":
            from evals.bench.memory import measure
        case "latency":
            from evals.bench.latency import measure
        case "planted":
            from evals.bench.planted import measure
        case _:
            from evals.bench.handbook import measure
    yield from measure(limit=limit)


def main(arguments: list[str] | None = None) -> int:
    """Run the named benchmarks, all by default."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; default: all")
    parser.add_argument("--limit", type=int, help="ask or repeat at most so often: to see it work, not to measure")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.names if name not in NAMES]:
        parser.error(f"unknown benchmark {', '.join(unknown)}; expected {', '.join(NAMES)}")
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
