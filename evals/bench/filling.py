"""How fast an index is filled: against embedding alone, against LlamaIndex, and again with nothing changed.

The documents are the abstracts of SciFact as files, ingested by whole `plumb` processes.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from evals.bench.cold import run_plumb
from evals.bench.figures import Line, Measured, Note
from evals.bench.packs import found_pack, skipped
from evals.bench.project import new_project
from evals.bench.scifact import PACK, unpack
from rag.index import open_index
from rag.settings import Settings

OVERHEAD = 1.15
TIMES_FASTER = 4.0
SECOND_RUN = 0.02


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """The whole run over embedding the same chunks alone; LlamaIndex's time over it; the second run."""
    pack = found_pack(PACK)
    if pack is None:
        yield skipped(PACK)
        return
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        settings = new_project(project)
        files = _documents(pack, Path(folder), project / "documents", limit)
        first = run_plumb(["ingest", "documents"], project)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        again = run_plumb(["ingest", "documents"], project)
        texts, alone = _embedding(settings)
        # A machine that is shared changes its pace within minutes: one whole run before, one after.
        new_project(Path(folder) / "second")
        whole = (first + run_plumb(["ingest", str(project / "documents")], Path(folder) / "second")) / 2
        yield Note(text=f"{len(files):,} documents, {len(texts):,} chunks; largest process {peak:,.0f} MB")
        yield Measured(
            name="whole run over embedding alone",
            value=whole / alone,
            reference=OVERHEAD,
            against="the bar",
            highest=True,
            note=f"{whole:.1f} s, the mean of two; embedding {alone:.1f} s, {len(texts) / whole:.1f} chunks/s",
        )
        yield Measured(
            name="second run over the first",
            value=again / first,
            reference=SECOND_RUN,
            against="the bar",
            highest=True,
            note=f"{again:.2f} s, nothing changed",
        )
        yield from _against_llama_index(files, settings, Path(folder), whole=whole)


def _documents(pack: Path, folder: Path, target: Path, limit: int | None) -> list[Path]:
    """The first `limit` documents as files in `target`."""
    unpack(pack, folder, documents=target)
    files = sorted(target.glob("*.md"))
    for left_out in files[limit:] if limit else ():
        left_out.unlink()
    return files[:limit]


def _embedding(settings: Settings) -> tuple[list[str], float]:
    """The indexed texts, and the seconds it takes to embed them in one go, sorted by length, by a warm model."""
    index = open_index(settings)
    texts = [chunk.indexed_text for chunk in index.store.chunks()]
    index.store.close()
    index.embedder.embed(texts[:1])
    started = time.perf_counter()
    index.embedder.embed(texts)
    return texts, time.perf_counter() - started


def _against_llama_index(files: Sequence[Path], settings: Settings, folder: Path, *, whole: float) -> Iterator[Line]:
    missing = [name for name in ("onnxruntime", "llama_index.vector_stores.qdrant") if not _is_here(name)]
    if missing:
        yield Note(text=f"not compared with LlamaIndex: {', '.join(missing)} not installed")
        return
    from evals.bench.llama_index_peer import ingest_seconds

    peer = ingest_seconds(files, settings, folder / "peer")
    yield Measured(
        name="times faster than LlamaIndex's IngestionPipeline",
        value=peer / whole,
        reference=TIMES_FASTER,
        against="the bar",
        note=f"it took {peer:.1f} s; same weights through onnxruntime, local Qdrant",
    )


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
