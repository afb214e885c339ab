"""How many questions one engine answers in a second, asked by many threads at once.

The chat model is a server on the loopback that answers after 200 ms whatever comes: what is measured is the engine. The
settings are those of the profile 'vllm', a hosted model beside the local embedder.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from evals.bench.figures import Line, Measured, Note
from evals.bench.project import QUESTIONS, require_examples
from evals.bench.quoting_server import quoting_engine, quoting_server
from evals.dataset import load_dataset
from evals.metrics import percentile
from rag.engine import Engine

DELAY_S = 0.2
THREADS = (1, 8, 32)
# For each thread.
QUESTIONS_EACH = 10
FEWEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """How it went with so many threads: seconds of each question, and of all together."""

    threads: int
    each_s: Sequence[float]
    all_s: float

    @property
    def rate(self) -> float:
        """Questions a second."""
        return len(self.each_s) / self.all_s


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Questions a second with 1, 8 and 32 threads against one thread, with the times of a question."""
    require_examples()
    with tempfile.TemporaryDirectory() as folder, quoting_server(delay_s=DELAY_S) as url:
        engine = quoting_engine(Path(folder), url)
        with closing(engine.searcher.opened.store):
            questions = [case.question for case in load_dataset(QUESTIONS).cases]
            first = _asked(engine, questions[:limit], threads=1)
            yield Note(text=f"one thread, each question for the first time: {_told(first)}")
            yield Note(text="then they are asked again, and most passages have been read before:")
            alone = None
            for threads in THREADS:
                count = limit or max(FEWEST, threads * QUESTIONS_EACH)
                load = _asked(engine, list(islice(cycle(questions), count)), threads=threads)
                alone = alone or load
                yield _line(load, alone)


def _line(load: _Load, alone: _Load) -> Measured:
    most = load.threads / DELAY_S
    return Measured(
        name=f"questions a second, {load.threads} thread{'s' * (load.threads > 1)}",
        value=load.rate,
        reference=alone.rate,
        against="one thread",
        is_bar=False,
        note=f"{load.rate / most:.2f} x {most:g}, which the model allows; {_told(load)}",
    )


def _told(load: _Load) -> str:
    p50, p95 = percentile(load.each_s, 0.5), percentile(load.each_s, 0.95)
    return f"{len(load.each_s)} questions, {load.rate:.1f} a second, p50 {p50:.2f}, p95 {p95:.2f} s"


def _asked(engine: Engine, questions: Sequence[str], *, threads: int) -> _Load:
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        each = list(pool.map(partial(_seconds, engine), questions))
        return _Load(threads=threads, each_s=each, all_s=time.perf_counter() - began)


def _seconds(engine: Engine, question: str) -> float:
    began = time.perf_counter()
    engine.ask(question)
    return time.perf_counter() - began
