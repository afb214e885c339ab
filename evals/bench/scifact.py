"""nDCG@10 on SciFact through the product's own ingest and search.

Wadden et al., Fact or Fiction: Verifying Scientific Claims (2020), in the split of BEIR: 5,183 abstracts, 300 claims.
"""

from __future__ import annotations

import ast
import csv
import gzip
import hashlib
import math
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from evals.bench.figures import Line, Measured, Note
from evals.bench.project import REPOSITORY, new_project
from ingest.pipeline import Report, ingest
from rag.errors import InputError
from rag.retrieve import fuse
from rag.search import Searcher
from rag.settings import Settings
from rag.types import Hit, Vectors

PACK = "2_retrieval_scifact_xquad_cosqa.tar.xz"
BAR = 0.72
DEPTH = 10
# Enough hits for ten documents, and no deeper than the product looks by itself.
HITS = 50
Relevance = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Claims by id, and which documents are relevant to each."""

    documents: Path
    topics: Mapping[str, str]
    relevant: Mapping[str, Relevance]


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """nDCG@10 of `Searcher.search` against the bar, and against each leg alone; a document counts by its best chunk."""
    pack = data_folder() / PACK
    if not pack.is_file():
        yield Note(text=f"skipped: no {PACK} in the folder of PLUMB_TEST_DATA (default ../shared/data)")
        return
    with tempfile.TemporaryDirectory() as folder:
        collection = unpack(pack, Path(folder))
        settings, report = _filled(collection.documents, pack)
    yield Note(text=f"{report.total_chunks} chunks; {report.chunks} embedded now, the others kept from an earlier run")
    yield from _compare(Searcher.from_settings(settings), collection, limit=limit)


def data_folder() -> Path:
    """Where the test collections are: PLUMB_TEST_DATA, or ../shared/data beside the repository."""
    return Path(os.environ.get("PLUMB_TEST_DATA") or REPOSITORY.parent / "shared" / "data")


def ndcg(ranked: Sequence[str], relevant: Relevance, *, depth: int = DEPTH) -> float:
    """Normalised discounted cumulative gain with linear gains, as trec_eval's ndcg_cut has it.

    Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques (2002).
    """
    ideal = _dcg(sorted(relevant.values(), reverse=True)[:depth])
    return _dcg([relevant.get(document, 0) for document in ranked[:depth]]) / ideal if ideal else 0.0


def unpack(pack: Path, folder: Path) -> Collection:
    """Extract the collection below `folder`, its abstracts as Markdown files named by document id."""
    with tarfile.open(pack) as archive:
        archive.extractall(folder, filter="data")
    source, documents = folder / "scifact", folder / "documents"
    try:
        _write_documents(source / "corpus_train.csv", documents)
        topics = _topics(source / "topics.beir-v1.0.0-scifact.test.tsv.gz")
        relevant = _relevant(source / "qrels.beir-v1.0.0-scifact.test.txt")
    except (OSError, ValueError, KeyError, SyntaxError) as error:
        raise InputError(f"{pack} can't be used: {error}", expected="SciFact as BEIR has it") from None
    return Collection(documents=documents, topics=topics, relevant=relevant)


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _write_documents(table: Path, folder: Path) -> None:
    folder.mkdir()
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            # Sentences of a numpy array's repr: Python joins the neighbouring literals.
            abstract = " ".join(_sentences(row["abstract"]))
            (folder / f"{int(row['doc_id'])}.md").write_text(f"# {row['title']}\n\n{abstract}\n", encoding="utf-8")


def _sentences(literal: str) -> list[str]:
    return [str(sentence) for sentence in ast.literal_eval(literal)]


def _topics(file: Path) -> dict[str, str]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        pairs = (line.rstrip("\n").split("\t", 1) for line in lines)
        return {topic: text for topic, text in pairs}


def _relevant(file: Path) -> dict[str, dict[str, int]]:
    relevant: dict[str, dict[str, int]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        topic, _, document, grade = line.split()
        relevant.setdefault(topic, {})[document] = int(grade)
    return relevant


def _filled(documents: Path, pack: Path) -> tuple[Settings, Report]:
    """The index of the collection, kept from an earlier run as long as neither data nor code have changed."""
    cache = user_cache_path("plumbline") / "bench" / "scifact"
    project = cache / _version(pack)
    for old in cache.glob("*"):
        if old != project:
            shutil.rmtree(old, ignore_errors=True)
    settings = new_project(project)
    # The same place each time: the manifest knows a document by its path.
    copy = project / "documents"
    if not copy.is_dir():
        shutil.copytree(documents, copy)
    report = next(event for event in ingest([copy], settings=settings) if isinstance(event, Report))
    return settings, report


def _version(pack: Path) -> str:
    digest = hashlib.sha256(pack.read_bytes())
    for file in sorted(file for package in ("ingest", "rag") for file in (REPOSITORY / package).rglob("*.py")):
        if file.is_relative_to(REPOSITORY / "ingest") or file.parent.name in ("embed", "store"):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _compare(searcher: Searcher, collection: Collection, *, limit: int | None) -> Iterator[Line]:
    topics = list(collection.relevant)[:limit]
    scores: dict[str, list[float]] = {"fused": [], "dense leg alone": [], "lexical leg alone": []}
    for topic in topics:
        question, relevant = collection.topics[topic], collection.relevant[topic]
        rankings = {"fused": searcher.search(question, limit=HITS), **_legs(searcher, question)}
        for name, hits in rankings.items():
            scores[name].append(ndcg(_documents(hits), relevant))
    means = {name: math.fsum(values) / len(values) for name, values in scores.items()}
    fused = means.pop("fused")
    note = f"{len(topics)} questions"
    yield Measured(name="nDCG@10", value=fused, reference=BAR, against="the bar", note=note)
    for name, peer in means.items():
        yield Measured(name="nDCG@10", value=fused, reference=peer, against=name, is_bar=False)


def _legs(searcher: Searcher, question: str) -> dict[str, list[Hit]]:
    """The same candidates ranked by one leg's score alone, the others' scores left out."""
    dense = tuple(searcher.embedder.embed([question])[0].tolist())
    vectors = Vectors(dense=dense, lexical=searcher.lexical.question(question))
    candidates = searcher.store.candidates(vectors, depth=HITS)
    return {
        "dense leg alone": fuse(candidates, dense_weight=1.0),
        "lexical leg alone": fuse(candidates, dense_weight=0.0),
    }


def _documents(hits: Sequence[Hit]) -> list[str]:
    return list(dict.fromkeys(Path(hit.chunk.uri).stem for hit in hits))
