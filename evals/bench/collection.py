"""A retrieval collection: documents, questions, and which documents are relevant to each; how well a ranking serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ir_measures
from ir_measures import R, nDCG

# The grade of each relevant document, by its file's name.
Relevance = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Questions by id, and which of the files in `documents` are relevant to each."""

    documents: Path
    questions: Mapping[str, str]
    relevant: Mapping[str, Relevance]


def ndcg(ranked: Sequence[str], relevant: Relevance, *, depth: int) -> float:
    """Normalised discounted cumulative gain with linear gains, as trec_eval's ndcg_cut has it.

    Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques (2002).
    """
    return _measured(nDCG @ depth, ranked, relevant)


def recall(ranked: Sequence[str], relevant: Relevance, *, depth: int) -> float:
    """The share of the relevant documents that are among the first."""
    return _measured(R @ depth, ranked, relevant)


def _measured(measure: Any, ranked: Sequence[str], relevant: Relevance) -> float:
    """A measure of one ranking; 0 where nothing is relevant. A document that comes again takes a place."""
    places = {
        document if document not in ranked[:place] else f"{document} again {place}": float(len(ranked) - place)
        for place, document in enumerate(ranked)
    }
    if not any(grade > 0 for grade in relevant.values()):
        return 0.0
    return float(ir_measures.calc_aggregate([measure], {"q": dict(relevant)}, {"q": places})[measure])
