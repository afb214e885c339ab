"""An application that answers and is rated: run as a process that tests kill, starve and cut off.

Its arguments: settings as JSON, the number of the first answer, how many, which of them are rated ('every third' is 3,
0 for none), and 'large' for traces of 13 kB. It writes a line for everything that is safely kept, and 'full'
where the disk is; then 'done', and waits for a line. Of 'drain' and names of destinations it waits until all is
delivered there, and tells its largest memory in MB.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from observed import STARTED_AT, ask_trace

from rag.errors import StoreError
from rag.observe import ship
from rag.observe.spool import Spool, open_spool
from rag.settings import Settings
from rag.types import Feedback, Trace

PAUSE_S = 0.01


def main() -> None:
    """Answer, rate, and stay until told to go."""
    given = json.loads(sys.argv[1])
    # Hours of an outage, in seconds.
    ship.REST_S, ship.LONGEST_REST_S = 0.05, 1.0
    settings = Settings(**{**given, "root": Path(given["root"])})
    spool = open_spool(settings)
    ship.start_background(spool, settings)
    for line in _lived(spool, *(int(number) for number in sys.argv[2:5]), is_large=sys.argv[5] == "large"):
        _tell(line)
    if drained := sys.stdin.readline().split()[1:]:
        while any(one.waiting for one in spool.progress() if one.destination in drained):
            time.sleep(0.05)
        _tell(str(_most_memory_mb()))


def _most_memory_mb() -> int:
    """Of this program alone: what getrusage() tells begins with that of the process which started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:"))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _lived(spool: Spool, first: int, count: int, rated: int, *, is_large: bool) -> Iterator[str]:
    for number in range(first, first + count):
        trace = _trace(number, is_large=is_large)
        yield from _kept(partial(spool.add_trace, trace))
        yield f"trace {trace.id}"
        if rated and number % rated == 0:
            # Changed at once: what is on the server at the end must be the second word.
            for up in (False, True):
                yield from _kept(partial(spool.add_feedback, Feedback(trace_id=trace.id, up=up, created_at=STARTED_AT)))
            yield f"score {trace.id}"
        time.sleep(0 if is_large else PAUSE_S)
    yield "done"


def _kept(write: Callable[[], object]) -> Iterator[str]:
    while True:
        try:
            write()
        except StoreError:
            yield "full"
            time.sleep(0.05)
        else:
            return


def _trace(number: int, *, is_large: bool) -> Trace:
    trace = ask_trace(f"{number:032x}", started_at=STARTED_AT + number)
    return replace(trace, steps=trace.steps[: 2 if is_large else 1])


if __name__ == "__main__":
    main()
