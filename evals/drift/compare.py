"""Two observations -> a report: what differs, by how much, and whether that is more than chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from evals.drift import attribute, correct, permute
from evals.drift.attribute import Attribution, Change
from evals.drift.observation import Observation, Said
from evals.drift.signals import Signal, signals
from evals.drift.since import Since
from evals.drift.unit import Unit, units
from rag.embed.protocol import Embedder

Outcome = Literal["same", "drift", "unknown"]
# With more failures nobody knows what the others would have said.
MOST_FAILED = 0.2
# More draws than this take minutes; below what they can tell, bounds and exact tests go on.
MOST_DRAWS = 400_000
EXIT_CODES: Mapping[Outcome, int] = {"same": 0, "drift": 1, "unknown": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two times, in figures. `models` counts answers by resolved model."""

    id: str
    name: str
    at: str
    source: str
    asked: int
    failed: int
    models: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What was said to the same prompt before and after."""

    prompt: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a comparison. `signals` are sorted: those that fired first, the largest effect first.

    `level` is what this look may spend of 5 %. `missing` tells which signals could not be computed, and why; `unknown`
    why nothing could be found out at all, where that is so. `left_out` counts prompts that only one side has. `notes`
    are to be known beside, by what they are about.
    """

    reference: Side
    now: Side
    outcome: Outcome
    paired: bool
    prompts: int
    left_out: int
    look: int
    level: float
    signals: tuple[Signal, ...]
    missing: Mapping[str, str]
    model: tuple[Change, ...]
    ours: tuple[Change, ...]
    aside: tuple[str, ...]
    attribution: Attribution | None
    unknown: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    since: Since | None = None
    example: Example | None = None

    @property
    def fired(self) -> tuple[Signal, ...]:
        """The signals that say something changed."""
        return tuple(signal for signal in self.signals if signal.fires)


def compare(
    reference: Observation,
    now: Observation,
    *,
    embedder: Embedder | None,
    look: int = 1,
    paired: bool | None = None,
) -> Report:
    """Hold two observations against each other. `look` counts the looks at this reference, from 1.

    Prompts that both have are compared in pairs; `paired` false compares all of one with all of the other, which finds
    large changes only.
    """
    ours, theirs = units(reference, embedder), units(now, embedder)
    if paired is not False:
        ours, theirs = in_pairs(ours, theirs)
    found, missing, unknown = judged(ours, theirs, look=look, paired=paired is not False)
    ids = {one.id for one in (*ours, *theirs)}
    left_out = len({canary.id for side in (reference, now) for canary in side.canaries} - ids)
    failing = [told for side in (reference, now) if (told := _failing(side))]
    if failing:
        unknown = tuple(failing)
    if paired is not False and not ours and not failing:
        unknown = ("no canary was asked both times: these are other canaries",)
    model = attribute.model_changes(_of(reference, ours), _of(now, theirs))
    before, after = reference.circumstances, now.circumstances
    changes = attribute.our_changes(before, after, searches=False)
    outcome = outcome_of(found, model, unknown)
    return Report(
        reference=side_of(reference),
        now=side_of(now),
        outcome=outcome,
        paired=paired is not False,
        prompts=len(theirs),
        left_out=left_out,
        look=look,
        level=correct.level_of(look),
        signals=found,
        missing=missing,
        model=tuple(model),
        ours=tuple(changes),
        aside=tuple(attribute.aside(before, after)),
        attribution=attribute.attribute(model, changes) if outcome == "drift" else None,
        unknown=unknown,
        notes=_notes(_of(reference, ours), _of(now, theirs)),
        example=_example(ours, theirs, found) if paired is not False else None,
    )


def judged(
    first: Sequence[Unit], second: Sequence[Unit], *, look: int, paired: bool, draws: int = permute.DRAWS
) -> tuple[tuple[Signal, ...], Mapping[str, str], tuple[str, ...]]:
    """The signals with what each had to reach at this look, sorted; what is missing; why nothing can be found out.

    `draws` is where a test begins; where so few can't tell, it goes on.
    """
    level = correct.level_of(look)
    if not (first and second):
        return (), {}, ("there is nothing to compare",)
    found, missing = signals(first, second, paired=paired, draws=draws)
    wanted = min(math.ceil(20 * len(found) / level), MOST_DRAWS)
    # So few draws can't tell how small these are.
    near = [signal.name for signal in found if signal.p < 20 / draws] if wanted > draws else []
    if near:
        finer, _ = signals(first, second, paired=paired, draws=wanted, only=near)
        found = [*(signal for signal in found if signal.name not in near), *finer]
    bounds = correct.bounds({signal.name: signal.chance for signal in found}, level=level)
    told = [
        replace(signal, bound=bounds[signal.name], fires=signal.p <= bounds[signal.name] and signal.is_news)
        for signal in found
    ]
    ranked = sorted(told, key=lambda signal: (not signal.fires, -abs(signal.effect), signal.p))
    return tuple(ranked), missing, _too_few(len(first), len(second), len(found), level, paired=paired)


def in_pairs(first: Sequence[Unit], second: Sequence[Unit]) -> tuple[list[Unit], list[Unit]]:
    """The units of the prompts that both have, in the same order; one whose canary was changed is another prompt."""
    theirs = {(unit.id, unit.digest): unit for unit in second}
    both = [unit for unit in first if (unit.id, unit.digest) in theirs]
    return both, [theirs[unit.id, unit.digest] for unit in both]


def outcome_of(found: Sequence[Signal], model: Sequence[Change], unknown: Sequence[str]) -> Outcome:
    """What it comes to: what is known to have changed counts, whatever else could not be found out."""
    if model or any(signal.fires for signal in found):
        return "drift"
    return "unknown" if unknown else "same"


def side_of(observation: Observation) -> Side:
    """An observation in figures."""
    answered = [said for said in observation.answers if not said.error]
    return Side(
        id=observation.id,
        name=observation.name,
        at=observation.started,
        source=observation.source,
        asked=len(observation.answers),
        failed=len(observation.answers) - len(answered),
        models=dict(Counter(said.resolved_model for said in answered)),
    )


def _too_few(firsts: int, seconds: int, count: int, level: float, *, paired: bool) -> tuple[str, ...]:
    wanted = correct.wanted_prompts(count, level=level)
    if paired and firsts < wanted:
        return (
            f"too few canaries: with {firsts} even a change of every answer could be chance at this look,"
            f" {wanted} would do",
        )
    if not paired and math.comb(firsts + seconds, firsts) * level < 2 * count:
        return (f"too few answers: {firsts} before, {seconds} after",)
    return ()


def _failing(observation: Observation) -> str:
    failed = [said for said in observation.answers if said.error]
    if not observation.answers or len(failed) > MOST_FAILED * len(observation.answers):
        last = f", the last one: {failed[-1].error}" if failed else ""
        return f"{len(failed)} of {len(observation.answers)} calls failed in {observation.name or observation.id}{last}"
    return ""


def _of(observation: Observation, kept: Sequence[Unit]) -> list[Said]:
    ids = {unit.id for unit in kept}
    return [said for said in observation.answers if said.canary in ids]


def _notes(before: Sequence[Said], after: Sequence[Said]) -> Mapping[str, str]:
    stood_in = attribute.stood_in(before, after)
    return {"answered by": stood_in} if stood_in else {}


def _example(first: Sequence[Unit], second: Sequence[Unit], found: Sequence[Signal]) -> Example | None:
    """A prompt at which the largest change shows."""
    fired = [signal.name for signal in found if signal.fires]
    pairs = [(one, other) for one, other in zip(first, second, strict=True) if one.text != other.text]
    if not (fired and pairs):
        return None
    before, after = max(pairs, key=lambda pair: sum(_moved(name, *pair) for name in fired))
    return Example(prompt=before.id, before=before.text, after=after.text)


def _moved(name: str, one: Unit, other: Unit) -> float:
    if name in one.shares and name in other.shares:
        return abs(one.shares[name] - other.shares[name])
    if name in one.kinds and name in other.kinds:
        return float(one.kinds[name] != other.kinds[name])
    return 0.0
