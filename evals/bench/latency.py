"""How long a search takes through the engine, and how that grows with the index.

Each chunk is a few sentences of a document of the example handbook, drawn at random, and its vector the mean of theirs
with a little noise: so subjects, words and distances are those of real text. The local model embeds the questions.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.bench.figures import Line, Measured, Note
from evals.bench.project import HANDBOOK, QUESTIONS, new_project, require_examples
from evals.dataset import load_dataset
from evals.metrics import percentile
from rag.embed import Matrix
from rag.index import Index, open_index
from rag.roles import RULE_NONE
from rag.search import Searcher
from rag.sentences import sentences
from rag.store import Entry
from rag.types import Chunk, Revision, Vectors, chunk_id

OTHER_QUESTIONS = QUESTIONS.with_name("questions-tuning.jsonl")
SIZES = (1_000, 10_000, 100_000)
BAR_MS = 15.0
ROUNDS = 4
GROUP = 500
SENTENCES_A_CHUNK = 5
# Of the length of a vector.
NOISE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """Its sentences and their vectors, a row each."""

    sentences: Sequence[str]
    vectors: Matrix


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Milliseconds from the question to its hits, p50, p95 and p99, at each size; the largest against the bar."""
    require_examples()
    sizes = SIZES if limit is None else (limit,)
    with tempfile.TemporaryDirectory() as folder:
        settings = new_project(Path(folder))
        index = open_index(settings)
        index.store.prepare()
        plain = settings.model_copy(update={"roles": settings.roles.model_copy(update={"rerank": RULE_NONE})})
        searcher, draw, filled = Searcher(plain, index), np.random.default_rng(3), 0
        documents = _handbook(index)
        for size in sizes:
            _fill(index, draw, documents, filled, size)
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
        yield Note(text="embedding the question, both legs of the hybrid search and fusion, after other questions")
        again = [_time(Searcher(settings, index), case.question) for case in load_dataset(QUESTIONS).cases]
        told = f"p50 {percentile(again, 0.5):.0f}, p95 {percentile(again, 0.95):.0f} ms"
        yield Note(text=f"with the best {settings.retrieve.rerank_hits} hits read again, over {filled:,}: {told}")
        index.store.close()


def _fill(index: Index, draw: np.random.Generator, documents: Sequence[_Document], start: int, end: int) -> None:
    for first in range(start, end, GROUP):
        numbers = range(first, min(first + GROUP, end))
        index.store.stage([_entry(index, number, *_drawn(documents, draw)) for number in numbers])
        index.store.publish([_revision(number) for number in numbers])


def _handbook(index: Index) -> list[_Document]:
    texts = [file.read_text(encoding="utf-8") for file in sorted(HANDBOOK.rglob("*.md"))]
    told = [[text[begin:end] for begin, end in sentences(text)] for text in texts]
    return [_Document(sentences=some, vectors=index.embedder.embed(some)) for some in told]


def _drawn(documents: Sequence[_Document], draw: np.random.Generator) -> tuple[str, Matrix]:
    """The text of a chunk and its vector."""
    document = documents[int(draw.integers(len(documents)))]
    chosen = draw.integers(0, len(document.sentences), SENTENCES_A_CHUNK)
    mean = document.vectors[chosen].mean(axis=0)
    row = mean / np.linalg.norm(mean) + NOISE * draw.normal(size=len(mean)) / len(mean) ** 0.5
    return " ".join(document.sentences[at] for at in chosen), row


def _entry(index: Index, number: int, text: str, row: Matrix) -> Entry:
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
    # What was just written is read from disk once: by other questions, which are not measured.
    for case in load_dataset(OTHER_QUESTIONS).cases:
        searcher.search(case.question)
    questions = [case.question for case in load_dataset(QUESTIONS).cases]
    return [_time(searcher, question) for _ in range(ROUNDS) for question in questions]


def _time(searcher: Searcher, question: str) -> float:
    started = time.perf_counter()
    searcher.search(question)
    return (time.perf_counter() - started) * 1000
