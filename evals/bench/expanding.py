"""What more queries gain: each way of `retrieve.expand` beside the plain question, on the same questions.

`python -m evals.bench.expanding` runs it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean

import numpy as np

from evals.bench.figures import Line, Measured, Note
from evals.bench.project import HANDBOOK, QUESTIONS, new_project, require_examples
from evals.dataset import load_dataset
from evals.paired import difference
from evals.ranking import rank_scores
from ingest.pipeline import ingest
from rag.case import Case
from rag.expand import Expander
from rag.llm import make_chains
from rag.llm.protocol import complete
from rag.search import Found, Searcher
from rag.settings import Settings

MULTI_HOP = QUESTIONS.with_name("questions-multi-hop.jsonl")
WAYS = ("parts", "paraphrase", "answer")
DEPTH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Searched:
    """What was found for a question, and how many queries were added to it."""

    found: Found
    added: int


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """Recall@5 of every way and of the plain question, on multi-hop and on other questions.

    The queries are written by the model of roles.rewrite, or else by that of roles.answer.
    """
    require_examples()
    with tempfile.TemporaryDirectory() as folder:
        settings = new_project(Path(folder))
        list(ingest([HANDBOOK], settings=settings))
        searcher = Searcher.from_settings(settings)
        with closing(searcher.opened.store):
            for way in WAYS:
                asking = _Asking(settings, searcher, way)
                for part, cases in _parts(limit).items():
                    yield from asking.lines(part, cases)


def _parts(limit: int | None) -> dict[str, list[Case]]:
    """Questions about two documents, and those about one; follow-ups are left out."""
    multi, others = load_dataset(MULTI_HOP).cases, load_dataset(QUESTIONS).cases
    single = [case for case in others if case.sources and not case.history and "multi" not in case.tags]
    return {"multi-hop": list(multi)[:limit], "single-hop": single[:limit]}


class _Asking:
    """One way of adding queries."""

    def __init__(self, settings: Settings, searcher: Searcher, way: str) -> None:
        chains = make_chains(settings, "answer", "rewrite")
        wanted = settings.retrieve.model_copy(update={"expand": way})
        self._way = way
        self._expander = Expander(
            settings.model_copy(update={"retrieve": wanted}), chains.get("rewrite") or chains["answer"]
        )
        self._find = lru_cache(maxsize=None)(searcher.find)

    def lines(self, part: str, cases: Sequence[Case]) -> Iterator[Line]:
        """The figures of one set of questions."""
        searched = [self._searched(case.question) for case in cases]
        before = np.array([_recall(case, self._find(case.question)) for case in cases])
        after = np.array([_recall(case, one.found) for case, one in zip(cases, searched, strict=True)])
        gain = difference(f"recall@{DEPTH}", before, after)
        told = f"{gain.difference:+.3f}, 95 % {gain.low:+.3f} to {gain.high:+.3f}"
        yield Note(text=f"{part}, {self._way}: {fmean(one.added for one in searched):.1f} queries added")
        yield Measured(
            name=f"{part}, {self._way}: recall@{DEPTH}",
            value=gain.second,
            reference=gain.first,
            against="the plain question",
            is_bar=False,
            note=f"n = {gain.cases}, {told}; better {gain.better}, worse {gain.worse}",
        )

    def _searched(self, question: str) -> _Searched:
        expander = self._expander
        call = complete(expander.llm, expander.messages(question), expander.sampling)
        queries = expander.queries(question, call.text)
        return _Searched(found=expander.fused([self._find(query) for query in queries]), added=len(queries) - 1)


def _recall(case: Case, found: Found) -> float:
    return rank_scores(case, [hit.chunk.uri for hit in found.hits])[f"recall_at_{DEPTH}"]


if __name__ == "__main__":
    for line in measure():
        print(line.line() if isinstance(line, Measured) else line.text, flush=True)
