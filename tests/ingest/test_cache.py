"""The cache of vectors, one file for all runs of a data folder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from ingest.cache import VectorCache
from rag.embed.scripted import ScriptedEmbedder

RUNS = 8


def test_runs_that_make_the_file_at_the_same_moment_wait_for_each_other(tmp_path: Path) -> None:
    for attempt in range(20):
        cache, together = VectorCache(tmp_path / f"{attempt}.db"), Barrier(RUNS)

        def run(number: int, cache: VectorCache = cache, together: Barrier = together) -> int:
            together.wait()
            return cache.embed([f"text {number}"], ScriptedEmbedder("scripted:words"))[1]

        with ThreadPoolExecutor(RUNS) as threads:
            assert list(threads.map(run, range(RUNS))) == [1] * RUNS
