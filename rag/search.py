"""Find passages: embed the question, ask both legs, fuse. Needs no chat model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from rag.errors import InputError
from rag.index import Index, open_index
from rag.retrieve import demote, distinct, fuse
from rag.settings import Settings
from rag.types import Hit, Turn, Vectors
from rag.versions import Versions


class Searcher:
    """The live version of an index, searched by meaning and by words. Safe to share between threads.

    When another version becomes live, in this process or another, the next search is made in that one.
    """

    def __init__(self, settings: Settings, index: Index, *, versions: Versions | None = None) -> None:
        """Hold the index; `versions` tells when another one is live, and without it this one stays."""
        self.settings = settings
        self._index = index
        self._versions = versions

    @classmethod
    def from_settings(cls, settings: Settings, *, version: str = "") -> Searcher:
        """A searcher of the live version, or of the one named, which then stays.

        Raises ConfigError, WeightsError, ModelError or StoreError.
        """
        index = open_index(settings, version=version)
        return cls(settings, index, versions=None if version else Versions(settings))

    @property
    def opened(self) -> Index:
        """The version that was searched last; asks neither disk nor server."""
        return self._index

    @property
    def index(self) -> Index:
        """The version that is searched."""
        live = self._versions.live() if self._versions else ""
        if live and live != self._index.version:
            self._index.store.close()
            self._index = open_index(self.settings)
        return self._index

    def search(self, question: str, *, limit: int | None = None) -> list[Hit]:
        """The best `limit` hits (default: retrieve.limit), each with the score of every stage.

        Raises InputError for an unusable question, StoreError and ModelError when a part fails.
        """
        query = check_question(question, max_chars=self.settings.limits.question_chars)
        options = self.settings.retrieve
        wanted = limit or options.limit
        index = self.index
        dense = tuple(index.embedder.embed([query])[0].tolist())
        vectors = Vectors(dense=dense, lexical=index.lexical.question(query))
        candidates = index.store.candidates(vectors, depth=max(options.depth, wanted))
        hits = fuse(candidates, dense_weight=options.dense_weight)
        current = demote(hits, words=options.outdated_words, factor=options.outdated_factor)
        return list(islice(distinct(current), wanted))


def standing_alone(question: str, history: Sequence[Turn]) -> str:
    """A follow-up with the question before it, so that it can be searched for: the rule 'previous-question'."""
    return " ".join([*(turn.question for turn in history[-1:]), question])


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
