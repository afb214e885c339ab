"""How well documents are found, through the product's own ingest and search, in collections that differ.

Claims and abstracts (SciFact), questions and paragraphs (XQuAD in English, German, Chinese), queries and code (CoSQA),
questions of the public and passages of public sites (FeedbackQA). A document counts by its best chunk.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from platformdirs import user_cache_path

from evals.bench import cosqa, feedbackqa, scifact, xquad
from evals.bench.collection import Collection, ndcg, recall
from evals.bench.figures import Line, Measured, Note
from evals.bench.packs import found_pack, skipped
from evals.bench.project import REPOSITORY, new_project
from ingest.pipeline import ingest
from ingest.progress import Report
from rag.roles import RULE_NONE
from rag.search import Searcher
from rag.settings import Settings

DEPTH = 10
RECALL_DEPTH = 5
# Enough hits for ten documents, and no deeper than the product looks by itself.
HITS = 50
# Reading hits again takes a quarter of a second: of larger sets every so many-th question is asked.
REREAD_QUESTIONS = 300
# The code that decides what is in the index.
FILLED_BY = (
    *("ingest", "rag/embed", "rag/store", "rag/types.py", "rag/sentences.py"),
    *(f"evals/bench/{name}.py" for name in ("scifact", "xquad", "cosqa", "feedbackqa")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A collection, the pack it is in, and the bars it has: nDCG@10 plain and read again, recall@5 plain."""

    name: str
    pack: str
    unpack: Callable[..., Collection]
    plain: float | None = None
    reread: float | None = None
    recall: float | None = None


CASES = (
    Case(name="scifact", pack=scifact.PACK, unpack=scifact.unpack, plain=0.735, reread=0.74),
    Case(name="xquad-en", pack=scifact.PACK, unpack=xquad.unpack, recall=0.97),
    Case(name="xquad-de", pack=scifact.PACK, unpack=partial(xquad.unpack, language="de")),
    Case(name="xquad-zh", pack=scifact.PACK, unpack=partial(xquad.unpack, language="zh")),
    Case(name="cosqa", pack=scifact.PACK, unpack=cosqa.unpack),
    Case(name="feedbackqa-cdc", pack=feedbackqa.PACK, unpack=partial(feedbackqa.unpack, site="CDC")),
    Case(name="feedbackqa-uk", pack=feedbackqa.PACK, unpack=partial(feedbackqa.unpack, site="UK")),
)


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """nDCG@10 and recall@5 of `Searcher.search`, without and with the hits read again, against bars and single legs."""
    yield Note(text="embeds the documents the first time, and again when the code that fills an index has changed")
    yield Note(text="the weights were chosen with a look at these very questions: docs/retrieval.md tells how")
    for case in CASES:
        pack = found_pack(case.pack)
        yield from _measured(case, pack, limit) if pack else [skipped(case.pack)]


def _measured(case: Case, pack: Path, limit: int | None) -> Iterator[Line]:
    settings = new_project(cached_project(case.name, pack))
    with tempfile.TemporaryDirectory() as folder:
        collection = case.unpack(pack, Path(folder), documents=settings.root / "documents")
    report = next(event for event in ingest([collection.documents], settings=settings) if isinstance(event, Report))
    names = list(collection.relevant)[:limit]
    chunks = f"{report.total_chunks:,} chunks ({report.chunks:,} made now)"
    yield Note(text=f"{case.name}: {chunks}, {len(names):,} questions")
    yield from _compared(case, Searcher.from_settings(settings), collection, names)


def _compared(case: Case, searcher: Searcher, collection: Collection, names: Sequence[str]) -> Iterator[Line]:
    """The fused ranking, against each leg alone, and read again."""
    plain = _rankings(_with(searcher, rerank=RULE_NONE), collection, names)
    fused = _ndcg(plain, collection)
    yield _score(case.name, fused, case.plain, "nDCG@10 as fused")
    for leg, weight in (("dense", 1.0), ("lexical", 0.0)):
        alone = _rankings(_with(searcher, rerank=RULE_NONE, dense_weight=weight), collection, names)
        yield _against(case.name, fused, _ndcg(alone, collection), f"the {leg} leg alone", is_bar=True)
    yield _score(case.name, _recall(plain, collection), case.recall, "recall@5 as fused")
    some = names[:: -(-len(names) // REREAD_QUESTIONS)]
    again = _ndcg(_rankings(searcher, collection, some), collection)
    yield _score(case.name, again, case.reread, "nDCG@10 read again")
    before = _ndcg({name: plain[name] for name in some}, collection)
    yield _against(case.name, again, before, f"as fused, {len(some)} questions", is_bar=False)


def _score(name: str, value: float, bar: float | None, what: str) -> Line:
    if bar is None:
        return Note(text=f"{name}: {what} {value:.3f}")
    return Measured(name=f"{name}: {what}", value=value, reference=bar, against="the bar")


def _against(name: str, value: float, peer: float, what: str, *, is_bar: bool) -> Measured:
    return Measured(name=f"{name}: nDCG@10", value=value, reference=peer, against=what, is_bar=is_bar)


Rankings = dict[str, list[str]]


def _rankings(searcher: Searcher, collection: Collection, names: Sequence[str]) -> Rankings:
    """For each question the documents found, best first."""
    return {name: _documents(searcher, collection.questions[name]) for name in names}


def _documents(searcher: Searcher, question: str) -> list[str]:
    return list(dict.fromkeys(Path(hit.chunk.uri).name for hit in searcher.search(question, limit=HITS)))


def _ndcg(rankings: Rankings, collection: Collection) -> float:
    return fmean(ndcg(ranked, collection.relevant[name], depth=DEPTH) for name, ranked in rankings.items())


def _recall(rankings: Rankings, collection: Collection) -> float:
    return fmean(recall(ranked, collection.relevant[name], depth=RECALL_DEPTH) for name, ranked in rankings.items())


def _with(searcher: Searcher, *, rerank: str, dense_weight: float | None = None) -> Searcher:
    settings: Settings = searcher.settings
    roles = settings.roles.model_copy(update={"rerank": rerank})
    weights = {} if dense_weight is None else {"dense_weight": dense_weight}
    retrieve = settings.retrieve.model_copy(update=weights)
    return Searcher(settings.model_copy(update={"roles": roles, "retrieve": retrieve}), searcher.index)


def cached_project(name: str, pack: Path) -> Path:
    """The folder of the project, kept as long as neither the pack nor the code that fills an index has changed."""
    cache = user_cache_path("plumbline") / "bench" / name
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
