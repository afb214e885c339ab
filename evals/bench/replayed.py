"""A local model whose calls are made once: asked the same again, it gives what it gave.

So a long benchmark goes on where it was interrupted, several ways of answering share the calls that they have in
common, and a change after the model's calls is measured in a minute. A kept call counts with the time it took when it
was made, on whatever the machine did then.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from evals.bench.kept import Kept, file
from rag.llm import Candidate, Chain, make_llm
from rag.llm.protocol import LLM, Piece, Sampling
from rag.roles import ChatRole
from rag.settings import Settings
from rag.types import Generation, Message, Usage
from rag.weights import WEIGHTS

# What runs the local models: another version may give other words.
RUNTIME = "xllamacpp"
# Models that say the same again. One on a server may have changed meanwhile.
REPEATABLE = ("local", "scripted")


@dataclass(slots=True)
class Clock:
    """The time that calls took when they were made: of each call since `reset()`, to its first token and in all, in ms.

    A call that is made now counts as nothing: its time goes by.
    """

    calls: list[tuple[float, float]] = field(default_factory=list)

    def reset(self) -> None:
        """Begin anew."""
        self.calls.clear()

    @property
    def at_first_token_ms(self) -> float:
        """What is to be added to the time at which the last call's first token came."""
        *before, last = self.calls or [(0.0, 0.0)]
        return sum(total for _, total in before) + last[0]

    @property
    def at_end_ms(self) -> float:
        """What is to be added to the time at which the last call ended."""
        return sum(total for _, total in self.calls)


class Replayed:
    """A model over a file of its calls. For one question at a time."""

    def __init__(self, llm: LLM, kept: Kept, clock: Clock) -> None:
        """`kept` holds the calls that were made before; each call is noted on the clock."""
        self._llm = llm
        self._kept = kept
        self._clock = clock

    @property
    def name(self) -> str:
        """The model's own."""
        return self._llm.name

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """What the model says, or said, then in one piece. With a temperature it is always asked."""
        name = _digest(messages, sampling)
        known = self._kept.get(name) if sampling.temperature == 0 else None
        generation = _generation(known) if known else None
        # Before anything is said: whoever listens may be behind whoever reads.
        self._clock.calls.append(_took(generation))
        if generation:
            yield generation.text
            yield generation
            return
        for piece in self._llm.stream(messages, sampling):
            if isinstance(piece, Generation) and sampling.temperature == 0:
                self._kept.add({"id": name, "made_at": time.time(), **asdict(piece)})
            yield piece


def replayed(settings: Settings, *, role: ChatRole = "answer") -> tuple[Chain, Clock]:
    """The models of a role as a chain over the calls in the user's cache folder, and their clock."""
    clock = Clock()
    candidates = [
        Candidate(_model(settings, name, clock, role), settings.candidate(name))
        for name in settings.roles.candidates(role)
    ]
    return Chain(candidates), clock


def _model(settings: Settings, name: str, clock: Clock, role: ChatRole) -> LLM:
    llm = make_llm(settings, name, role=role)
    provider, _, model = name.partition(":")
    if provider not in REPEATABLE:
        return llm
    weights = WEIGHTS[model].sha256 if model in WEIGHTS else ""
    made = hashlib.sha256(f"{weights} {settings.local.context_tokens} {version(RUNTIME)}".encode()).hexdigest()[:12]
    return Replayed(llm, Kept(file(f"{name}-{made}", "calls")), clock)


def _digest(messages: Sequence[Message], sampling: Sampling) -> str:
    asked = json.dumps([[asdict(message) for message in messages], asdict(sampling)])
    return hashlib.sha256(asked.encode()).hexdigest()[:32]


def _took(generation: Generation | None) -> tuple[float, float]:
    if generation is None:
        return 0.0, 0.0
    total_ms = generation.total_ms
    return (total_ms if generation.first_token_ms is None else generation.first_token_ms), total_ms


def _generation(known: Mapping[str, Any]) -> Generation:
    fields = {name: value for name, value in known.items() if name not in ("id", "made_at")}
    return Generation(**{**fields, "usage": Usage(**known["usage"]), "attempts": ()})
