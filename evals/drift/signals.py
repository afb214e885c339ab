"""What may differ between two times, each with a test, an effect and an interval: pure functions of units."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from evals.drift import effects, permute
from evals.drift.content import nearness
from evals.drift.noise import own_noise
from evals.drift.permute import Chance, Floats
from evals.drift.unit import Unit

Family = Literal["form", "content", "quality"]
Scale = Literal["share", "amount", "number", "kinds", "vector", "noise"]
T = TypeVar("T")
# A difference that is certain but smaller than this is no news.
LEAST_EFFECT = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A signal by name: what it is about, how it is measured, what it says to people."""

    name: str
    family: Family
    scale: Scale
    label: str


KINDS: tuple[Kind, ...] = (
    Kind(name="length", family="form", scale="amount", label="characters of an answer"),
    Kind(name="markdown", family="form", scale="amount", label="marks of Markdown in an answer"),
    Kind(name="fences", family="form", scale="share", label="answers with a code fence"),
    Kind(name="refusals", family="form", scale="share", label="answers that decline"),
    Kind(name="readable", family="form", scale="share", label="answers that their parser can read"),
    Kind(name="cut off", family="form", scale="share", label="answers cut off at their longest"),
    Kind(name="language", family="form", scale="kinds", label="languages of answers"),
    Kind(name="shape", family="form", scale="kinds", label="keys of JSON answers"),
    Kind(name="style", family="form", scale="vector", label="marks, capitals, lengths of words and sentences"),
    Kind(name="labels", family="content", scale="kinds", label="labels that are answered"),
    Kind(name="numbers", family="content", scale="number", label="numbers that are answered"),
    Kind(name="meaning", family="content", scale="vector", label="what answers mean, form aside"),
    Kind(name="same prompt", family="content", scale="noise", label="answers to one prompt, beyond its own noise"),
    Kind(name="supported", family="content", scale="share", label="claims that the check supports"),
    Kind(name="right", family="quality", scale="share", label="right answers"),
)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """How a signal stands: over so many prompts (each side's, where they are not the same), before and after.

    `difference` is after minus before, of an amount after over before, with its 95 % interval; None for what has no
    such. `effect` is on one scale for all, -1 to 1: prompts that went up less those that went down, as a share (of
    kinds: the share that moved; of vectors: prompts that moved the same way less those that did not). `p` had to reach
    `bound` (0: with so few differences it never could).
    """

    name: str
    family: Family
    prompts: int
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    effect: float
    effect_low: float
    effect_high: float
    p: float
    least: float
    bound: float = 0.0
    fires: bool = False
    detail: str = ""

    @property
    def chance(self) -> Chance:
        """How often chance makes as much."""
        return Chance(p=self.p, least=self.least)

    @property
    def is_news(self) -> bool:
        """Whether the effect is large enough to speak of, and its interval leaves no doubt which way it goes."""
        return abs(self.effect) >= LEAST_EFFECT and not self.effect_low <= 0 <= self.effect_high


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a signal was and is, as a Signal has it."""

    before: float | None = None
    after: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None


def signals(
    first: Sequence[Unit],
    second: Sequence[Unit],
    *,
    paired: bool,
    draws: int = permute.DRAWS,
    only: Collection[str] = BY_NAME,
) -> tuple[list[Signal], dict[str, str]]:
    """Every signal that can be computed, and why the others can't. Paired, both lists are of the same prompts."""
    found: list[Signal] = []
    missing: dict[str, str] = {}
    for kind in (kind for kind in KINDS if kind.name in only):
        told = _signal(kind, first, second, paired=paired, draws=draws)
        if isinstance(told, Signal):
            found.append(told)
        elif told:
            missing[kind.name] = told
    return found, missing


def _signal(kind: Kind, first: Sequence[Unit], second: Sequence[Unit], *, paired: bool, draws: int) -> Signal | str:
    match kind.scale:
        case "share" | "amount" | "number":
            return _scalar(kind, first, second, paired=paired, draws=draws)
        case "kinds":
            return _of_kinds(kind, first, second, paired=paired, draws=draws)
        case "vector":
            return _of_vectors(kind, first, second, paired=paired, draws=draws)
        case "noise":
            return _of_noise(kind, first, second, paired=paired, draws=draws)


def _scalar(kind: Kind, first: Sequence[Unit], second: Sequence[Unit], *, paired: bool, draws: int) -> Signal | str:
    told = _having(_told(kind, first), _told(kind, second), paired=paired)
    if not all(told):
        return _nothing(kind)
    ours, theirs = (np.array(side) for side in told)
    if paired:
        chance, bounds = permute.swapped(theirs - ours, draws=draws), permute.interval(theirs - ours)
    else:
        chance, bounds = permute.shuffled(ours, theirs, draws=draws), permute.interval(ours, theirs)
    effect = (effects.gain if kind.scale == "share" else effects.dominance)(ours, theirs, paired=paired)
    figures = Figures(
        before=_shown(kind, float(ours.mean())),
        after=_shown(kind, float(theirs.mean())),
        difference=_change(kind, float(theirs.mean() - ours.mean())),
        low=_change(kind, bounds[0]),
        high=_change(kind, bounds[1]),
    )
    return _made(kind, len(theirs), effect, chance, figures=figures)


def _told(kind: Kind, units: Sequence[Unit]) -> list[float | None]:
    return [(unit.shares if kind.scale == "share" else unit.amounts).get(kind.name) for unit in units]


def _shown(kind: Kind, value: float) -> float:
    """A mean on the scale that people know: amounts and numbers are compared on bent ones."""
    match kind.scale:
        case "amount":
            return math.expm1(value)
        case "number":
            return math.sinh(value)
        case _:
            return value


def _change(kind: Kind, value: float) -> float | None:
    match kind.scale:
        case "amount":
            return math.exp(value)
        case "number":
            return None
        case _:
            return value


def _of_kinds(kind: Kind, first: Sequence[Unit], second: Sequence[Unit], *, paired: bool, draws: int) -> Signal | str:
    sides = [[unit.kinds.get(kind.name) for unit in units] for units in (first, second)]
    ours, theirs = _having(*sides, paired=paired)
    if not (ours and theirs):
        return _nothing(kind)
    names = sorted({name for counted in (*ours, *theirs) for name in counted})
    tables = [np.array([[counted.get(name, 0.0) for name in names] for counted in side]) for side in (ours, theirs)]
    stacked = np.concatenate(tables)
    chance = _of_kernel(stacked @ stacked.T, len(ours), paired=paired, draws=draws)
    effect = effects.moved_share(*tables, paired=paired)
    detail = effects.movers(names, *(table.mean(axis=0) for table in tables))
    return _made(kind, len(theirs), effect, chance, detail=detail)


def _of_vectors(kind: Kind, first: Sequence[Unit], second: Sequence[Unit], *, paired: bool, draws: int) -> Signal | str:
    sides = [[unit.vectors.get(kind.name) for unit in units] for units in (first, second)]
    ours, theirs = _having(*sides, paired=paired)
    if not (ours and theirs):
        return _nothing(kind)
    stacked = np.array([*ours, *theirs], dtype=np.float64)
    if kind.name == "style":
        # Each figure on its own scale; one that never varies says nothing.
        stacked = (stacked - stacked.mean(axis=0)) / np.maximum(stacked.std(axis=0), 1e-9)
        stacked = np.clip(stacked, -4, 4) / np.sqrt(stacked.shape[1])
    chance = _of_kernel(nearness(stacked), len(ours), paired=paired, draws=draws)
    effect = effects.direction(stacked[: len(ours)], stacked[len(ours) :], paired=paired)
    return _made(kind, len(theirs), effect, chance)


def _of_kernel(kernel: Floats, firsts: int, *, paired: bool, draws: int) -> Chance:
    if paired:
        return permute.swapped_kernel(kernel, draws=draws)
    return permute.shuffled_kernel(kernel, firsts, draws=draws)


def _of_noise(kind: Kind, first: Sequence[Unit], second: Sequence[Unit], *, paired: bool, draws: int) -> Signal | str:
    if not paired:
        return "the prompts are not the same on both sides"
    groups = [
        (one.each, other.each)
        for one, other in zip(first, second, strict=True)
        if one.each and other.each and len(one.each) + len(other.each) > 2
    ]
    if not groups:
        return "no prompt was asked more than once at a time (--repeat)"
    found = own_noise(groups, draws=draws)
    effect = effects.Effect(value=found.effect, low=found.low, high=found.high)
    detail = f"{found.within:.0%} apart within one time, {found.between:.0%} between the two"
    return _made(kind, len(groups), effect, found.chance, detail=detail)


def _having(first: Sequence[T | None], second: Sequence[T | None], *, paired: bool) -> tuple[list[T], list[T]]:
    """The values that are there; paired, those of prompts that have them on both sides."""
    if paired:
        both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
        return [a for a, _ in both], [b for _, b in both]
    return [a for a in first if a is not None], [b for b in second if b is not None]


def _made(  # noqa: PLR0913 - what a signal is made of
    kind: Kind,
    prompts: int,
    effect: effects.Effect,
    chance: Chance,
    *,
    figures: Figures | None = None,
    detail: str = "",
) -> Signal:
    told = figures or Figures()
    return Signal(
        name=kind.name,
        family=kind.family,
        prompts=prompts,
        before=told.before,
        after=told.after,
        difference=told.difference,
        low=told.low,
        high=told.high,
        effect=effect.value,
        effect_low=effect.low,
        effect_high=effect.high,
        p=chance.p,
        least=chance.least,
        detail=detail,
    )


def _nothing(kind: Kind) -> str:
    """Why a signal is not there; '' where these canaries are just of another kind."""
    reasons = {
        "meaning": "no embedder is at hand",
        "right": "no canary says what is expected",
    }
    return reasons.get(kind.name, "")
