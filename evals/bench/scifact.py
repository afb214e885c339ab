"""nDCG@10 on SciFact through the product's own ingest and search.

Wadden et al., Fact or Fiction: Verifying Scientific Claims (2020), in the split of BEIR: 5,183 abstracts, 300 claims.
"""

from __future__ import annotations

import ast
import csv
import gzip
import hashlib
import io
import math
import shutil
import tarfile
import tempfile
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from evals.bench.figures import Line, Measured, Note
from evals.bench.packs import found_pack, skipped
from evals.bench.project import REPOSITORY, new_project
from ingest.pipeline import ingest
from ingest.progress import Report
from rag.errors import InputError
from rag.search import Searcher
from rag.types import Hit

PACK = "2_retrieval_scifact_xquad_cosqa.tar.xz"
BAR = 0.72
DEPTH = 10
# Enough hits for ten documents, and no deeper than the product looks by itself.
HITS = 50
# The code that decides what is in the index.
FILLED_BY = ("ingest", "rag/embed", "rag/store", "rag/types.py", "rag/sentences.py")
Relevance = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Claims by id, and which documents are relevant to each."""

    documents: Path
    topics: Mapping[str, str]
    relevant: Mapping[str, Relevance]


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """nDCG@10 of `Searcher.search` against the bar, and against each leg alone; a document counts by its best chunk."""
    pack = found_pack(PACK)
    if pack is None:
        yield skipped(PACK)
        return
    yield Note(text="embeds 5,183 abstracts the first time, and again when the code that fills an index has changed")
    settings = new_project(_cache(pack))
    with tempfile.TemporaryDirectory() as folder:
        collection = unpack(pack, Path(folder), documents=settings.root / "documents")
    filled = ingest([collection.documents], settings=settings)
    report = next(event for event in filled if isinstance(event, Report))
    yield Note(text=f"{report.total_chunks} chunks; {report.chunks} embedded now, the others kept from an earlier run")
    yield from _compare(Searcher.from_settings(settings), collection, limit=limit)


def ndcg(ranked: Sequence[str], relevant: Relevance, *, depth: int = DEPTH) -> float:
    """Normalised discounted cumulative gain with linear gains, as trec_eval's ndcg_cut has it.

    Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques (2002).
    """
    ideal = _dcg(sorted(relevant.values(), reverse=True)[:depth])
    return _dcg([relevant.get(document, 0) for document in ranked[:depth]]) / ideal if ideal else 0.0


def unpack(pack: Path, folder: Path, *, documents: Path) -> Collection:
    """Extract the collection below `folder`, and its abstracts into `documents`: Markdown files named by their id."""
    with tarfile.open(pack) as archive:
        archive.extractall(folder, filter="data")
    source = folder / "scifact"
    try:
        _write_documents(source / "corpus_train.csv", documents)
        topics = _topics(source / "topics.beir-v1.0.0-scifact.test.tsv.gz")
        relevant = _relevant(source / "qrels.beir-v1.0.0-scifact.test.txt")
    except (OSError, ValueError, KeyError, SyntaxError, tokenize.TokenError) as error:
        raise InputError(f"{pack} can't be used: {error}", expected="SciFact as BEIR has it") from None
    return Collection(documents=documents, topics=topics, relevant=relevant)


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _write_documents(table: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            abstract = " ".join(_sentences(row["abstract"]))
            (folder / f"{int(row['doc_id'])}.md").write_text(f"# {row['title']}\n\n{abstract}\n", encoding="utf-8")


def _sentences(literal: str) -> list[str]:
    """The strings of a list that was printed without commas, so that Python would run its sentences together."""
    tokens = tokenize.generate_tokens(io.StringIO(literal).readline)
    return [str(ast.literal_eval(token.string)) for token in tokens if token.type == tokenize.STRING]


def _topics(file: Path) -> dict[str, str]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        pairs = (line.rstrip("\n").split("\t", 1) for line in lines)
        return dict(pairs)


def _relevant(file: Path) -> dict[str, dict[str, int]]:
    relevant: dict[str, dict[str, int]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        topic, _, document, grade = line.split()
        relevant.setdefault(topic, {})[document] = int(grade)
    return relevant


def _cache(pack: Path) -> Path:
    """The folder of the project, kept as long as neither the pack nor the code that fills an index has changed."""
    cache = user_cache_path("plumbline") / "bench" / "scifact"
    project = cache / _version(pack)
    for old in cache.glob("*"):
        if old != project:
            shutil.rmtree(old, ignore_errors=True)
    return project


def _version(pack: Path) -> str:
    digest = hashlib.sha256(pack.read_bytes())
    for place in FILLED_BY:
        whole = REPOSITORY / place
        for file in sorted(whole.rglob("*.py")) if whole.is_dir() else [whole]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _compare(searcher: Searcher, collection: Collection, *, limit: int | None) -> Iterator[Line]:
    topics = list(collection.relevant)[:limit]
    fused = _mean_ndcg(searcher, collection, topics)
    yield Measured(name="nDCG@10", value=fused, reference=BAR, against="the bar", note=f"{len(topics)} questions")
    for name, weight in (("dense leg alone", 1.0), ("lexical leg alone", 0.0)):
        peer = _mean_ndcg(_weighing(searcher, weight), collection, topics)
        yield Measured(name="nDCG@10", value=fused, reference=peer, against=name, is_bar=False)


def _weighing(searcher: Searcher, weight: float) -> Searcher:
    retrieve = searcher.settings.retrieve.model_copy(update={"dense_weight": weight})
    return Searcher(searcher.settings.model_copy(update={"retrieve": retrieve}), searcher.index)


def _mean_ndcg(searcher: Searcher, collection: Collection, topics: Sequence[str]) -> float:
    scores = [
        ndcg(_documents(searcher.search(collection.topics[topic], limit=HITS)), collection.relevant[topic])
        for topic in topics
    ]
    return math.fsum(scores) / len(scores)


def _documents(hits: Sequence[Hit]) -> list[str]:
    return list(dict.fromkeys(Path(hit.chunk.uri).stem for hit in hits))
