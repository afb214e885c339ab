"""Drift of recorded answers of March and June 2023: what is found with few canaries, and how often nothing is.

False alarms are those of a version against itself: its prompts in two halves, again and again. The pool of a task is
drawn with a fixed seed; so are the canaries of each repetition.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from evals.bench.figures import Line, Measured, Note
from evals.bench.llmdrift import PACK, PAIRS, TASKS, Recorded, read_llmdrift
from evals.bench.packs import found_pack, skipped
from evals.drift.compare import judged
from evals.drift.observation import Observation
from evals.drift.quality import is_right
from evals.drift.signals import Signal
from evals.drift.unit import Unit, units
from rag.embed import Embedder, make_embedder
from rag.embed.scripted import ScriptedEmbedder
from rag.errors import PlumbError
from rag.settings import Settings

POOL, SUBSETS, SPLITS = 250, 10, 200
SIZES = (100, 50, 25)
FALSE_ALARMS, DRAWS = 0.05, 999
# A comparison of means, as one would write it in an afternoon: more than 5 points, or more than a tenth longer.
POINTS, LONGER = 0.05, 1.1
PLAIN = ("right", "refusals", "fences", "readable")
Pools = Mapping[tuple[str, str], Sequence[Unit]]


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """What is found, then the false alarms, each beside its peers; `limit` bounds subsets and splits."""
    pack = found_pack(PACK)
    if pack is None:
        yield skipped(PACK)
        return
    recorded, embedder = read_llmdrift(pack), _embedder()
    yield Note(text=f"{POOL} prompts a task at most, meaning by {embedder.name}")
    yield from _published(recorded)
    pools = {key: units(_drawn(observation), embedder) for key, observation in recorded.items()}
    yield from _found(pools, subsets=min(SUBSETS, limit or SUBSETS))
    yield from _false_alarms(pools, splits=min(SPLITS, limit or SPLITS))


def _embedder() -> Embedder:
    try:
        return make_embedder(Settings())
    except PlumbError:
        return ScriptedEmbedder("scripted:words")


def _drawn(observation: Observation) -> Observation:
    """So many prompts, the same ones of every version of a task."""
    ids = sorted(canary.id for canary in observation.canaries)
    kept = set(random.Random(observation.source).sample(ids, min(POOL, len(ids))))  # noqa: S311 - no secret
    return replace(
        observation,
        canaries=tuple(canary for canary in observation.canaries if canary.id in kept),
        answers=tuple(said for said in observation.answers if said.canary in kept),
    )


def _published(recorded: Recorded) -> Iterator[Line]:
    """The share of right answers in all, with the pinned parsers: 84.0 to 51.1 was published of GPT-4 and primes."""
    for model, versions in PAIRS.items():
        for task in TASKS:
            sides = [recorded[task.name, version] for version in versions]
            scores = [right_share(side) for side in sides]
            if None not in scores:
                shown = " → ".join(f"{100 * (score or 0):.1f} %" for score in scores)
                yield Note(text=f"{model} {task.name}: right {shown} of {len(sides[0].canaries)}")


def right_share(observation: Observation) -> float | None:
    """The share of right answers; None where nobody knows what is right."""
    canaries = {canary.id: canary for canary in observation.canaries}
    told = [is_right(canaries[said.canary], said) for said in observation.answers]
    scores = [score for score in told if score is not None]
    return sum(scores) / len(scores) if scores else None


def _found(pools: Pools, *, subsets: int) -> Iterator[Line]:
    """In which share of the subsets each family fired, from March to June."""
    yield Note(text=f"{'':28}{'canaries':>9}{'form':>7}{'content':>9}{'quality':>9}{'any':>6}  fired most")
    for model, versions in PAIRS.items():
        for task in TASKS:
            first, second = (pools[task.name, version] for version in versions)
            # A task of fewer prompts is asked whole.
            for size in dict.fromkeys(min(size, len(first)) for size in SIZES):
                runs = [_fired(*_subset(first, second, size, seed)) for seed in range(subsets)]
                yield Note(text=_row(f"{model} {task.name}", size, runs))
                if model == "GPT-4" and size == min(SIZES[0], len(first)):
                    yield from _bars(task.name, runs)


def _subset(first: Sequence[Unit], second: Sequence[Unit], size: int, seed: int) -> tuple[list[Unit], list[Unit]]:
    chosen = random.Random(seed).sample(range(len(first)), min(size, len(first)))  # noqa: S311
    return [first[place] for place in chosen], [second[place] for place in chosen]


def _fired(first: Sequence[Unit], second: Sequence[Unit]) -> list[Signal]:
    found, _, _ = judged(first, second, look=1, paired=True, draws=DRAWS)
    return [signal for signal in found if signal.fires]


def _row(name: str, size: int, runs: Sequence[Sequence[Signal]]) -> str:
    form, content, quality = (_share(runs, family) for family in ("form", "content", "quality"))
    most = Counter(signal.name for run in runs for signal in run).most_common(6)
    named = ", ".join(f"{name} {count / len(runs):.1f}" for name, count in most)
    return f"{name:28}{size:9}{form:7.2f}{content:9.2f}{quality:9.2f}{_share(runs, ''):6.2f}  {named}"


def _share(runs: Sequence[Sequence[Signal]], family: str) -> float:
    """In which share of the runs a signal of a family fired; of any for ''."""
    return sum(any(family in ("", signal.family) for signal in run) for run in runs) / len(runs)


def _bars(task: str, runs: Sequence[Sequence[Signal]]) -> Iterator[Line]:
    note = f"of {len(runs)} subsets"
    wanted = {"primes": ("content", "quality"), "code": ("form",)}
    for family in ("", *wanted.get(task, ())):
        name = f"GPT-4 {task}: {family or 'found'}"
        yield Measured(name=name, value=_share(runs, family), reference=1.0, against="the bar", note=note)
    if task == "code":
        lost = sum(any(signal.family == "quality" and signal.effect < 0 for signal in run) for run in runs)
        yield Measured(
            name="GPT-4 code: quality lost",
            value=lost / len(runs),
            reference=0.0,
            against="the bar",
            highest=True,
            note=note,
        )


def _false_alarms(pools: Pools, *, splits: int) -> Iterator[Line]:
    """How often one half of a version's prompts differs from the other: ours, and what simpler ways make of it."""
    yield Note(
        text=f"{'':36}{'ours':>7}{'uncorrected':>13}{'means':>7}  of {splits} random halves, 100 prompts at most"
    )
    totals: Counter[str] = Counter()
    for (task, version), pool in pools.items():
        counts = _alarms(pool, splits)
        totals += counts
        shares = {name: counts[name] / splits for name in ("ours", "uncorrected", "means")}
        yield Note(
            text=f"{f'{version} {task}':36}{shares['ours']:7.3f}{shares['uncorrected']:13.3f}{shares['means']:7.3f}"
        )
        yield Measured(
            name=f"false alarms, {version} {task}",
            value=shares["ours"],
            reference=FALSE_ALARMS,
            against="the bar",
            highest=True,
        )
    everything = splits * len(pools)
    yield Measured(
        name="false alarms, all",
        value=totals["ours"] / everything,
        reference=totals["uncorrected"] / everything,
        against="uncorrected tests",
        is_bar=False,
        note=f"means at a fixed threshold {totals['means'] / everything:.3f}",
    )


def _alarms(pool: Sequence[Unit], splits: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(splits):
        drawn = random.Random(seed).sample(list(pool), min(SIZES[0], len(pool)))  # noqa: S311
        first, second = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
        found, _, _ = judged(first, second, look=1, paired=False, draws=DRAWS)
        counts["ours"] += any(signal.fires for signal in found)
        counts["uncorrected"] += any(signal.p <= FALSE_ALARMS for signal in found)
        counts["means"] += any(map(_is_far, found))
    return counts


def _is_far(signal: Signal) -> bool:
    if signal.difference is None:
        return False
    if signal.name == "length":
        return not 1 / LONGER < signal.difference < LONGER
    return signal.name in PLAIN and abs(signal.difference) > POINTS
