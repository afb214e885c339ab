"""Drift on the recorded answers of March and June 2023, where the pack is at hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evals.bench.drift import right_share
from evals.bench.llmdrift import PACK, Recorded, read_llmdrift
from evals.bench.packs import found_pack, skipped
from evals.drift.compare import Report, compare
from evals.drift.observation import Observation
from rag.embed.scripted import ScriptedEmbedder


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    pack = found_pack(PACK)
    if pack is None:
        pytest.skip(skipped(PACK).text)
    return read_llmdrift(pack)


def first(observation: Observation, count: int = 100) -> Observation:
    """Canaries from all of the pack, which has the primes before the other numbers."""
    step = max(len(observation.canaries) // count, 1)
    ids = {canary.id for canary in observation.canaries[::step][:count]}
    return replace(
        observation,
        canaries=tuple(canary for canary in observation.canaries if canary.id in ids),
        answers=tuple(said for said in observation.answers if said.canary in ids),
    )


def march_to_june(recorded: Recorded, task: str) -> Report:
    sides = [first(recorded[task, version]) for version in ("gpt-4-0314", "gpt-4-0613")]
    return compare(*sides, embedder=ScriptedEmbedder("scripted:words"))


@pytest.mark.parametrize("task", ["primes", "happy numbers", "sensitive questions", "opinions"])
def test_every_task_of_gpt_4_drifted(recorded: Recorded, task: str) -> None:
    told = march_to_june(recorded, task)
    assert {signal.family for signal in told.fired} >= {"form", "content"}
    if task in ("primes", "happy numbers"):
        right = next(signal for signal in told.fired if signal.name == "right")
        assert right.effect < -0.2


def test_fences_are_a_drift_of_form_and_no_loss_of_quality(recorded: Recorded) -> None:
    told = march_to_june(recorded, "code")
    fences = next(signal for signal in told.fired if signal.name == "fences")
    assert fences.effect > 0.8
    right = next(signal for signal in told.signals if signal.name == "right")
    assert (right.before, right.after) == (0.52, 0.70)
    assert not (right.fires and right.effect < 0)


def test_parsers_give_the_published_figures(recorded: Recorded) -> None:
    told = {version: right_share(recorded["primes", version]) for version in ("gpt-4-0314", "gpt-4-0613")}
    assert told == {"gpt-4-0314": pytest.approx(0.840), "gpt-4-0613": pytest.approx(0.511)}
