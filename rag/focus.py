"""Which sentences the model gets to read when the budget is small: those nearest to the question, of many hits.

A model on a processor pays for every token it reads. 200 tokens of sentences out of twenty hits held the answer to more
questions than 400 tokens of whole passages (docs/architecture.md has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.embed import Embedder, TokenEmbedder, reads
from rag.embed.maxsim import max_sim
from rag.sentences import sentences
from rag.types import Hit, Passage

Terms = Callable[[str], frozenset[int]]
Scores = NDArray[np.float64]
# How much the nearness in meaning, the shared words and the rank of its passage count for a sentence.
MEANING, WORDS, RANK = 0.5, 0.3, 0.2
# The hits whose sentences are compared, once late interaction has put them in order: the facts of 71 of the 80 tuning
# questions are among the chosen sentences, as of twenty hits, at two thirds of the time.
BEST_HITS = 12
# Number and line break before a passage.
FRAME_TOKENS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    """A sentence or table row: the rank of its `hit` from 0, its `place` there, the text compared with the query."""

    hit: int
    place: int
    text: str
    indexed: str


def focus(
    query: str, hits: Sequence[Hit], *, budget_tokens: int, embedder: Embedder, terms: Terms
) -> tuple[Passage, ...]:
    """The best sentences of the first BEST_HITS that fit the budget, by passage: best first, sentences in their order.

    `terms` maps a text to the set of its stemmed content words. Raises ModelError when the embedder fails.
    """
    hits = hits[:BEST_HITS]
    found = [
        _Sentence(hit=i, place=j, text=text, indexed=f"{hit.chunk.label}\n{text}")
        for i, hit in enumerate(hits)
        for j, text in enumerate(_split(hit.chunk.text))
    ]
    if not found:
        return ()
    scores = (
        MEANING * _meaning(query, found, embedder) + WORDS * _words(query, found, terms) + RANK * _rank(found, hits)
    )
    ranked = [found[i] for i in np.argsort(-scores, kind="stable")]
    chosen = _fill(ranked, hits, budget_tokens=budget_tokens, count=embedder.count)
    order = list(dict.fromkeys(sentence.hit for sentence in chosen))
    return tuple(_passage(marker, hits[i], [s for s in chosen if s.hit == i]) for marker, i in enumerate(order, 1))


def _split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def _meaning(query: str, found: Sequence[_Sentence], embedder: Embedder) -> Scores:
    """Nearness to the query, from 0 for the farthest sentence to 1 for the nearest; 0 if the embedder can't read it."""
    if not reads(embedder, query):
        return np.zeros(len(found))
    near = _nearness([query, *(sentence.indexed for sentence in found)], embedder)
    return np.asarray((near - near.min()) / ((near.max() - near.min()) or 1.0))


def _nearness(texts: Sequence[str], embedder: Embedder) -> Scores:
    """How near each of the texts is to the first: by late interaction where the embedder gives vectors of tokens.

    Else by the cosine of the whole texts.
    """
    if isinstance(embedder, TokenEmbedder):
        asked, *others = embedder.embed_tokens(texts)
        return np.array([max_sim(asked, other) for other in others])
    vectors = embedder.embed(texts).astype(np.float64)
    return np.asarray(vectors[1:] @ vectors[0])


def _words(query: str, found: Sequence[_Sentence], terms: Terms) -> Scores:
    """The share of the query's words that a sentence has, a word weighing more the fewer sentences have it."""
    asked, held = terms(query), [terms(sentence.indexed) for sentence in found]
    weights = {term: math.log(1 + len(held) / (1 + sum(term in words for words in held))) for term in asked}
    whole = sum(weights.values()) or 1
    return np.array([sum(weights[term] for term in asked & words) / whole for words in held])


def _rank(found: Sequence[_Sentence], hits: Sequence[Hit]) -> Scores:
    best = hits[0].score or 1
    return np.array([hits[sentence.hit].score / best for sentence in found])


def _fill(
    ranked: Sequence[_Sentence], hits: Sequence[Hit], *, budget_tokens: int, count: Callable[[str], int]
) -> list[_Sentence]:
    """The sentences that fit, best first; the first of a passage also pays for what stands above it.

    Each is counted alone, so framing tokens of the embedder's tokenizer count too: the budget is a little smaller.
    """
    chosen: list[_Sentence] = []
    labelled: set[int] = set()
    left = budget_tokens
    for sentence in ranked:
        above = 0 if sentence.hit in labelled else count(hits[sentence.hit].chunk.label) + FRAME_TOKENS
        cost = count(sentence.text) + above
        if chosen and cost > left:
            continue
        chosen.append(sentence)
        labelled.add(sentence.hit)
        left -= cost
    return chosen


def _passage(marker: int, hit: Hit, chosen: Sequence[_Sentence]) -> Passage:
    in_order = sorted(chosen, key=lambda sentence: sentence.place)
    return Passage(marker=marker, text="\n".join(sentence.text for sentence in in_order), hit=hit)
