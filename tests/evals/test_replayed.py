"""Calls of a model that benchmarks make once: what is kept, what is asked again, and which times count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evals.bench.kept import Kept
from evals.bench.replayed import Clock, Replayed, replayed
from rag.llm import Candidate, Chain
from rag.llm.protocol import Piece, Sampling, complete
from rag.roles import CandidateSettings
from rag.settings import Settings
from rag.types import Generation, Message, Usage

ASKED = (Message(role="user", content="Why?"),)
ONCE = Sampling(temperature=0, max_tokens=5)
SAID = Generation(
    text="So.",
    requested_model="counting",
    resolved_model="counting.gguf",
    fingerprint=None,
    finish_reason="stop",
    usage=Usage(prompt=3, completion=1),
    first_token_ms=1000.0,
    total_ms=9000.0,
    chances={"Yes": 0.7, "No": 0.3},
)


class Counting:
    """A model that counts its calls."""

    name = "counting"
    calls = 0

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        self.calls += 1
        yield "So."
        yield SAID


def test_the_same_call_is_made_once_and_says_the_same(tmp_path: Path) -> None:
    llm, file = Counting(), tmp_path / "calls.jsonl"
    first = complete(Replayed(llm, Kept(file), Clock()), ASKED, ONCE)
    assert complete(Replayed(llm, Kept(file), Clock()), ASKED, ONCE) == first == SAID
    assert llm.calls == 1
    complete(Replayed(llm, Kept(file), Clock()), ASKED, replace(ONCE, max_tokens=6))
    complete(Replayed(llm, Kept(file), Clock()), (*ASKED, *ASKED), ONCE)
    assert llm.calls == 3


def test_a_call_with_a_temperature_is_made_again(tmp_path: Path) -> None:
    llm, warm = Counting(), replace(ONCE, temperature=0.5)
    model = Replayed(llm, Kept(tmp_path / "calls.jsonl"), Clock())
    complete(model, ASKED, warm)
    complete(model, ASKED, warm)
    assert llm.calls == 2


def test_the_time_of_calls_that_were_made_before_counts_to_the_first_token_and_to_the_end(tmp_path: Path) -> None:
    clock = Clock()
    model = Replayed(Counting(), Kept(tmp_path / "calls.jsonl"), clock)
    chain = Chain([Candidate(model, CandidateSettings())])
    complete(chain, ASKED, ONCE)
    assert (clock.at_first_token_ms, clock.at_end_ms) == (0.0, 0.0)
    clock.reset()
    complete(chain, ASKED, ONCE)
    pieces = chain.stream(ASKED, ONCE)
    assert next(pieces) == "So."
    # The chain reads ahead in a thread of its own: that must not show.
    assert clock.at_first_token_ms == 9000.0 + 1000.0
    assert list(pieces)
    assert clock.at_end_ms == 18_000.0


def test_a_model_on_a_server_is_always_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings = Settings.model_validate({"root": tmp_path, "roles": {"answer": ["scripted:quote", "ollama:any"]}})
    chain, _ = replayed(settings)
    assert [isinstance(each.llm, Replayed) for each in chain.candidates] == [True, False]
