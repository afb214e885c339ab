"""Find passages: embed the question, ask both legs, fuse. Needs no chat model."""

from __future__ import annotations

from rag.embed import Embedder, make_embedder
from rag.embed.lexical import Lexical
from rag.errors import InputError
from rag.retrieve import demote, distinct, fuse
from rag.settings import Settings
from rag.store import Store, open_store
from rag.types import Hit, Vectors


class Searcher:
    """One index, searched by meaning and by words. Safe to share between threads."""

    def __init__(self, *, settings: Settings, store: Store, embedder: Embedder, lexical: Lexical) -> None:
        """Hold the parts; `Searcher.from_settings()` makes them."""
        self.settings = settings
        self.store = store
        self.embedder = embedder
        self.lexical = lexical

    @classmethod
    def from_settings(cls, settings: Settings) -> Searcher:
        """A searcher as the settings describe it. Raises ConfigError, WeightsError, ModelError or StoreError."""
        embedder = make_embedder(settings)
        store = open_store(settings, embedder=embedder.name, dimension=embedder.dimension)
        lexical = Lexical(settings.retrieve.language)
        return cls(settings=settings, store=store, embedder=embedder, lexical=lexical)

    def search(self, question: str, *, limit: int | None = None) -> list[Hit]:
        """The best `limit` hits (default: retrieve.limit), each with the score of every stage.

        Raises InputError for an unusable question, StoreError and ModelError when a part fails.
        """
        query = check_question(question, max_chars=self.settings.limits.question_chars)
        options = self.settings.retrieve
        wanted = limit or options.limit
        vectors = Vectors(dense=tuple(self.embedder.embed([query])[0].tolist()), lexical=self.lexical.question(query))
        candidates = self.store.candidates(vectors, depth=max(options.depth, wanted))
        hits = fuse(candidates, dense_weight=options.dense_weight)
        current = demote(hits, words=options.outdated_words, factor=options.outdated_factor)
        return distinct(current)[:wanted]


def check_question(question: str, *, max_chars: int) -> str:
    """The question without surrounding white space; raises InputError when it is empty or too long."""
    # Half a surrogate pair, from a terminal or from JSON, is no text that a model or the index takes.
    asked = question.encode(errors="replace").decode().strip()
    if not asked:
        raise InputError("the question is empty", expected="a question", remedy="ask one")
    if len(asked) > max_chars:
        raise InputError(
            f"the question has {len(asked):,} characters",
            expected=f"at most limits.question_chars = {max_chars:,}",
            remedy="shorten it, or raise the limit",
        )
    return asked
