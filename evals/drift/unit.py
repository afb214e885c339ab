"""A prompt with all its answers of one time, in figures: what the signals are computed from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evals.drift import form
from evals.drift.canaries import Canary
from evals.drift.content import meanings
from evals.drift.observation import Observation, Said
from evals.drift.parsers import Parser, Read, parser_of
from evals.drift.permute import Floats
from evals.drift.quality import is_right
from rag.embed.protocol import Embedder


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The answers to one prompt; figures are means over its repetitions, and names are those of the signals.

    `shares` are 0 to 1, `amounts` counts, `kinds` how often each kind came, `each` every answer by itself: its value,
    or its meaning where the values are not of few kinds. `text` is the first answer.
    """

    id: str
    digest: str
    shares: Mapping[str, float] = field(default_factory=dict)
    amounts: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    vectors: Mapping[str, Floats] = field(default_factory=dict)
    each: tuple[Floats | str, ...] = ()
    text: str = ""


def units(observation: Observation, embedder: Embedder | None) -> list[Unit]:
    """The canaries of an observation that were answered at all; without an embedder nothing tells their meaning."""
    answered: dict[str, list[Said]] = {}
    for said in observation.answers:
        if not said.error:
            answered.setdefault(said.canary, []).append(said)
    texts = [said.text for group in answered.values() for said in group]
    known = meanings(texts, embedder) if embedder else {}
    return [unit(canary, answered[canary.id], known) for canary in observation.canaries if canary.id in answered]


def unit(canary: Canary, said: Sequence[Said], known: Mapping[str, Floats]) -> Unit:
    """One prompt with its answers, at least one; `known` are the meanings of texts."""
    parser = parser_of(canary.parser)
    reads = [parser.read(canary.bare(one.text)) for one in said]
    texts = [one.text for one in said]
    forms = [parser.masked(text) for text in texts]
    vectors = {"style": np.mean([form.style(text) for text in forms], axis=0)}
    found = [known[text] for text in texts if text in known]
    return Unit(
        id=canary.id,
        digest=canary.digest,
        shares=_shares(canary, said, reads),
        amounts={name: _mean([math.log1p(count(text)) for text in forms]) for name, count in form.AMOUNTS.items()}
        | _numbers(parser, reads),
        kinds=_kinds(parser, texts, reads),
        vectors=vectors | ({"meaning": np.mean(found, axis=0)} if found else {}),
        each=_each(parser, texts, reads, known),
        text=texts[0],
    )


def _shares(canary: Canary, said: Sequence[Said], reads: Sequence[Read]) -> dict[str, float]:
    shares = {name: _mean([float(has(one.text)) for one in said]) for name, has in form.SHARES.items()}
    shares["readable"] = _mean([float(read.value is not None) for read in reads])
    if ends := [float(one.finish_reason == "length") for one in said if one.finish_reason]:
        shares["cut off"] = _mean(ends)
    if right := [score for one in said if (score := is_right(canary, one)) is not None]:
        shares["right"] = _mean(right)
    return shares


def _numbers(parser: Parser, reads: Sequence[Read]) -> dict[str, float]:
    """The number that is answered, on a scale on which large ones don't drown the others."""
    if parser.rule != "number":
        return {}
    values = [float(read.value) for read in reads if read.value is not None]
    told = [math.asinh(value) for value in values if math.isfinite(value)]
    return {"numbers": _mean(told)} if told else {}


def _kinds(parser: Parser, texts: Sequence[str], reads: Sequence[Read]) -> dict[str, Mapping[str, float]]:
    values = [read.value for read in reads if read.value is not None]
    kinds = {"language": _frequencies([found for text in texts if (found := form.language(text))])}
    if parser.has_few_values:
        kinds["labels"] = _frequencies(values)
    if parser.rule == "json":
        kinds["shape"] = _frequencies([form.shape(value) for value in values])
    return {name: counted for name, counted in kinds.items() if counted}


def _each(
    parser: Parser, texts: Sequence[str], reads: Sequence[Read], known: Mapping[str, Floats]
) -> tuple[Floats | str, ...]:
    if parser.rule == "text":
        return tuple(known[text] for text in texts if text in known)
    return tuple(json.dumps(read.value) for read in reads)


def _frequencies(names: Sequence[str]) -> dict[str, float]:
    return {name: names.count(name) / len(names) for name in dict.fromkeys(names)}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
