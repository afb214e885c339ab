"""The cache of vectors, one file for all runs of a data folder."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from ingest.cache import VectorCache
from rag.embed import Matrix
from rag.embed.scripted import ScriptedEmbedder

RUNS = 8


def test_runs_that_make_the_file_at_the_same_moment_wait_for_each_other(tmp_path: Path) -> None:
    for attempt in range(20):
        cache, together = VectorCache(tmp_path / f"{attempt}.db", max_bytes=10**9), Barrier(RUNS)

        def run(number: int, cache: VectorCache = cache, together: Barrier = together) -> int:
            together.wait()
            return cache.embed([f"text {number}"], ScriptedEmbedder("scripted:words"))[1]

        with ThreadPoolExecutor(RUNS) as threads:
            assert list(threads.map(run, range(RUNS))) == [1] * RUNS


def test_a_full_cache_forgets_the_oldest_vectors(tmp_path: Path) -> None:
    path, embedder = tmp_path / "vectors.db", ScriptedEmbedder("scripted:words")
    cache = VectorCache(path, max_bytes=200_000)
    groups = [[f"text {number} of group {group}" for number in range(100)] for group in range(20)]
    assert [cache.embed(group, embedder)[1] for group in groups] == [100] * 20
    assert path.stat().st_size < 300_000
    assert cache.embed(groups[-1], embedder)[1] == 0
    assert cache.embed(groups[0], embedder)[1] == 100


def test_vectors_of_another_model_of_the_same_name_are_made_anew(tmp_path: Path) -> None:
    class Shorter(ScriptedEmbedder):
        def embed(self, texts: Sequence[str]) -> Matrix:
            return super().embed(texts)[:, : self.dimension]

    cache, shorter = VectorCache(tmp_path / "vectors.db", max_bytes=10**9), Shorter("scripted:words")
    shorter.dimension = 8
    cache.embed(["one"], ScriptedEmbedder("scripted:words"))
    vectors, made = cache.embed(["one", "two"], shorter)
    assert (vectors.shape, made) == ((2, 8), 2)
