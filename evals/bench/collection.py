"""A retrieval collection: documents, questions, and which documents are relevant to each; how well a ranking serves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    ideal = _dcg(sorted(relevant.values(), reverse=True)[:depth])
    return _dcg([relevant.get(document, 0) for document in ranked[:depth]]) / ideal if ideal else 0.0


def recall(ranked: Sequence[str], relevant: Relevance, *, depth: int) -> float:
    """The share of the relevant documents that are among the first."""
    wanted = {document for document, grade in relevant.items() if grade > 0}
    return len(wanted & set(ranked[:depth])) / len(wanted) if wanted else 0.0


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
