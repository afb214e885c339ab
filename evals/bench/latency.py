"""How long a search takes through the engine, and how that grows with the index.

The chunks are random words of the example handbook with random vectors around a few hundred centres, as real passages
have their subjects; the example questions are embedded by the local model.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from evals.bench.figures import Line, Measured, Note
from evals.bench.project import HANDBOOK, QUESTIONS, new_project, require_examples
from evals.dataset import load_dataset
from evals.metrics import percentile
from rag.embed import Matrix
from rag.index import Index, open_index
from rag.search import Searcher
from rag.store import Entry
from rag.types import Chunk, Revision, Vectors, chunk_id

SIZES = (1_000, 10_000, 100_000)
BAR_MS = 15.0
ROUNDS = 4
GROUP = 500
CENTRES = 300
WORDS_A_CHUNK = 90


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Milliseconds from the question to its hits, p50, p95 and p99, at each size; the largest against the bar."""
    require_examples()
    sizes = SIZES if limit is None else (limit,)
    with tempfile.TemporaryDirectory() as folder:
        settings = new_project(Path(folder))
        index = open_index(settings)
        index.store.prepare()
        searcher, draw, filled = Searcher(settings, index), np.random.default_rng(3), 0
        text = " ".join(file.read_text(encoding="utf-8") for file in sorted(HANDBOOK.rglob("*.md"))).split()
        for size in sizes:
            _fill(index, draw, text, filled, size)
            filled = size
            times = _times(searcher)
            p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
            yield Measured(
                name=f"search over {size:,} chunks, p95",
                value=percentile(times, 0.95),
                reference=BAR_MS,
                against="the bar",
                unit="ms",
                highest=True,
                is_bar=size == sizes[-1],
                note=f"p50 {p50:.1f}, p99 {p99:.1f} ms, {len(times)} questions",
            )
        yield Note(text="embedding the question, both legs of the hybrid search and fusion, in a process that is warm")
        index.store.close()


def _fill(index: Index, draw: np.random.Generator, text: Sequence[str], start: int, end: int) -> None:
    centres = np.random.default_rng(1).normal(size=(CENTRES, index.embedder.dimension))
    for first in range(start, end, GROUP):
        numbers = range(first, min(first + GROUP, end))
        near = centres[draw.integers(0, CENTRES, len(numbers))]
        rows = near + 0.8 * draw.normal(size=near.shape)
        words = draw.choice(np.array(text), size=(len(numbers), WORDS_A_CHUNK))
        index.store.stage([_entry(index, *made) for made in zip(numbers, rows, words, strict=True)])
        index.store.publish([_revision(number) for number in numbers])


def _entry(index: Index, number: int, row: Matrix, words: Sequence[str]) -> Entry:
    text = " ".join(words)
    made = _revision(number)
    chunk = Chunk(
        id=chunk_id(made.uri, made.digest, 0),
        uri=made.uri,
        title=f"Document {number}",
        headings=(),
        page=None,
        position=0,
        text=text,
        revision=made.digest,
    )
    dense = tuple((row / np.linalg.norm(row)).tolist())
    return Entry(chunk=chunk, vectors=Vectors(dense=dense, lexical=index.lexical.passage(text)))


def _revision(number: int) -> Revision:
    return Revision(uri=f"docs/{number}.md", digest="1", chunks=1)


def _times(searcher: Searcher) -> list[float]:
    questions = [case.question for case in load_dataset(QUESTIONS).cases]
    searcher.search(questions[0])
    return [_time(searcher, question) for _ in range(ROUNDS) for question in questions]


def _time(searcher: Searcher, question: str) -> float:
    started = time.perf_counter()
    searcher.search(question)
    return (time.perf_counter() - started) * 1000
