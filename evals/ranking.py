"""How well a ranking finds the sources of a case, as TREC's trec_eval computes it, by ir-measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import ir_measures
from ir_measures import RR, R, nDCG
from ir_measures.providers import Evaluator

from rag.case import Case

DEPTHS = (1, 3, 5, 8)
MEASURES = {
    **{f"recall_at_{depth}": R @ depth for depth in DEPTHS},
    "ndcg_at_10": nDCG @ 10,
    "mrr": RR,
}
_NAMES = {str(measure): name for name, measure in MEASURES.items()}
_QUESTION = "q"


def is_source(uri: str, source: str) -> bool:
    """Whether an indexed document is the expected one: the same path, or one that ends in it."""
    return uri == source or uri.endswith(f"/{source}")


def rank_scores(case: Case, uris: Sequence[str]) -> Mapping[str, float]:
    """Every figure by name for hits of these documents, best first; empty for a case without sources.

    A depth counts hits, not documents: a document that comes again takes a place and adds nothing. With the tag 'any'
    one of the sources is as good as all. What finds fewer hits than a depth is judged by those.
    """
    if not case.sources:
        return {}
    groups = (case.sources,) if "any" in case.tags else tuple((source,) for source in case.sources)
    return _scores(groups, tuple(uris))


# Each metric asks for its own, one after the other, and all come at once.
@lru_cache(maxsize=8)
def _scores(groups: tuple[tuple[str, ...], ...], uris: tuple[str, ...]) -> Mapping[str, float]:
    found = _evaluator(len(groups)).iter_calc({_QUESTION: _ranking(groups, uris)})
    return {_NAMES[str(score.measure)]: float(score.value) for score in found}


@lru_cache(maxsize=64)
def _evaluator(sources: int) -> Evaluator:
    """To make one takes forty times as long as to use it, and all that it knows is how many sources there are."""
    return ir_measures.evaluator(list(MEASURES.values()), {_QUESTION: {str(number): 1 for number in range(sources)}})


def _ranking(groups: Sequence[Sequence[str]], uris: Sequence[str]) -> dict[str, float]:
    """A score for each place, by the number of the source that is found there first, else by a name of its own."""
    ranking: dict[str, float] = {}
    for place, uri in enumerate(uris):
        new = (number for number, group in enumerate(groups) if any(is_source(uri, source) for source in group))
        name = next((str(number) for number in new if str(number) not in ranking), f"other {place}")
        ranking[name] = float(len(uris) - place)
    return ranking
