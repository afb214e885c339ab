"""A model whose calls are made once: asked the same again, it gives what it gave, and counts the time that it saved.

So a long benchmark goes on where it was interrupted, several ways of answering share the calls that they have in
common, and a change after the model's calls is measured in a minute. It holds for temperature 0 alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from evals.bench.kept import Kept, file
from rag.llm import Candidate, Chain, make_llm
from rag.llm.protocol import LLM, Piece, Restart, Sampling
from rag.settings import Settings
from rag.types import Generation, Message, Usage

# What runs the local models: another version may give other words.
RUNTIME = "xllamacpp"


class Replayed:
    """A model over a file of its calls. For one thread at a time."""

    def __init__(self, llm: LLM, kept: Kept) -> None:
        """`kept` holds the calls that were made before."""
        self._llm = llm
        self._kept = kept
        self.saved_ms = 0.0

    @property
    def name(self) -> str:
        """The model's own."""
        return self._llm.name

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """What the model says, or said: then in one piece, `saved_ms` later by the time of the first token."""
        name = _digest(messages, sampling)
        known = self._kept.get(name)
        if known is None:
            yield from self._asked(name, messages, sampling)
            return
        generation = _generation(known)
        first_ms = generation.total_ms if generation.first_token_ms is None else generation.first_token_ms
        self.saved_ms += first_ms
        yield generation.text
        self.saved_ms += generation.total_ms - first_ms
        yield generation

    def _asked(self, name: str, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        for piece in self._llm.stream(messages, sampling):
            if isinstance(piece, Generation):
                self._kept.add({"id": name, **asdict(piece)})
            elif isinstance(piece, Restart):
                raise TypeError("a single model does not begin anew")
            yield piece


def replayed(settings: Settings) -> tuple[Chain, tuple[Replayed, ...]]:
    """The models of the answer role as a chain, with each one's calls kept in the user's cache folder."""
    models = tuple(
        Replayed(make_llm(settings, name, role="answer"), Kept(file(f"{name}-{version(RUNTIME)}", "calls")))
        for name in settings.roles.candidates("answer")
    )
    return Chain([Candidate(model, settings.candidate(model.name)) for model in models]), models


def _digest(messages: Sequence[Message], sampling: Sampling) -> str:
    asked = json.dumps([[asdict(message) for message in messages], asdict(sampling)])
    return hashlib.sha256(asked.encode()).hexdigest()[:32]


def _generation(known: Mapping[str, Any]) -> Generation:
    fields = {**known, "usage": Usage(**known["usage"]), "attempts": ()}
    del fields["id"]
    return Generation(**fields)
