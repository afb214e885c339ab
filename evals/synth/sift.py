"""Which made questions measure little: those that are trivial, and those that the passage can't answer."""

from __future__ import annotations

from evals.synth.asked import Asked
from evals.synth.rules import leans
from rag.roles import RULE_NONE
from rag.search import Searcher
from rag.spelling import plain
from rag.types import Chunk, Hit

TRIVIAL, UNANSWERABLE = "trivial", "unanswerable"
# Of the question's content words, in the passage: nearly all.
SHARED = 0.8
# So many other documents that answer it among the first hits make it one that many answer.
MANY, LOOKED_AT = 2, 10
# Fewer content words are no question by themselves.
LEAST_WORDS = 2


class Sieve:
    """Searches for each question, in full and by words alone."""

    def __init__(self, searcher: Searcher) -> None:
        """Make the search by words from the other."""
        self._searcher = searcher
        options = {"retrieve": {"dense_weight": 0.0}, "roles": {"rerank": RULE_NONE}}
        parts = {name: getattr(searcher.settings, name).model_copy(update=changed) for name, changed in options.items()}
        self._by_words = Searcher(searcher.settings.model_copy(update=parts), searcher.index)

    def tags(self, asked: Asked, chunk: Chunk) -> tuple[str, ...]:
        """'trivial' and 'unanswerable', where they hold. Raises StoreError and ModelError."""
        found = self._searcher.find(asked.question, limit=self._searcher.settings.retrieve.depth)
        hits = [*found.hits, *(one.hit for one in found.left_out)]
        is_lost = chunk.id not in {hit.chunk.id for hit in hits}
        terms = self._searcher.index.lexical.terms
        if is_lost or leans(asked.question) or len(terms(asked.question)) < LEAST_WORDS:
            return (UNANSWERABLE,)
        return (TRIVIAL,) if self._is_copied(asked, chunk) or self._is_common(asked, chunk, found.hits) else ()

    def _is_copied(self, asked: Asked, chunk: Chunk) -> bool:
        """Whether it has the words of the passage, and these alone find it first."""
        first = self._by_words.search(asked.question, limit=1)
        return self._holds(asked.question, chunk) and [hit.chunk.id for hit in first] == [chunk.id]

    def _is_common(self, asked: Asked, chunk: Chunk, hits: tuple[Hit, ...]) -> bool:
        """Whether passages of several other documents say the same."""
        said = {
            hit.chunk.uri
            for hit in hits[:LOOKED_AT]
            if self._holds(f"{asked.question} {asked.sentence}", hit.chunk)
            and plain(asked.fact) in plain(hit.chunk.text)
        }
        return len(said - {chunk.uri}) >= MANY

    def _holds(self, words: str, chunk: Chunk) -> bool:
        terms = self._searcher.index.lexical.terms
        wanted = terms(words)
        there = terms(" ".join([chunk.title, *chunk.headings, chunk.text]))
        return len(wanted & there) >= SHARED * len(wanted)
