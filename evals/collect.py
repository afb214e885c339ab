"""Complaints made eval cases: the same question once, and no complaint twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.case import Case
from rag.embed import Matrix
from rag.observe.spool import Spool
from rag.retell import ANY, case_of, each_answer
from rag.triage import left_out, queue
from rag.types import Decision, Feedback
from rag.wording import Terms, words

Embed = Callable[[Sequence[str]], Matrix]
# Questions so near in meaning are one case. Nearer than one complaint, as what a case takes in is not asked. By
# all-MiniLM-L6-v2, of the questions to FeedbackQA's two sites 127 pairs are as near and differ in no number, name or
# negation: half are of one passage, and most others ask for the same. From 0.8 on there are 310, 118 of one passage.
SAME_CASE = 0.85
# As much as a case may count: with one of more, a gate would rest on that one, and could pass nothing.
MOST_WEIGHT = 10.0
# Two questions that differ in one of these ask for different things, however near they are.
TELLING = ("number", "name", "negation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A case that complaints came to: what it is now, the answers that are new in it, and whether it was there before.

    `questions` are those of its answers that were asked in other words, `set_aside` the right answers that people
    gave and the case does not take in, as a person had confirmed it.
    """

    case: Case
    traces: tuple[str, ...]
    questions: tuple[str, ...]
    set_aside: tuple[str, ...]
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaints:
    """What all complaints came to, and every answer that is in it; `mute` are answers without texts, which can't be.

    `left_out` are older ones that nobody decided on: they come next time.
    """

    collected: tuple[Collected, ...]
    traces: tuple[str, ...]
    mute: int
    left_out: int


def collect(
    spool: Spool, known: Sequence[Case], *, embed: Embed, terms: Terms, since: float | None = None
) -> Complaints:
    """The cases of all complaints nobody decided on; nothing is written.

    Answers to the same question, in the same conversation before it, are one case, which counts as often as people
    complained; a `known` case takes in what is about its question, and stays what a person made of it.
    """
    about = [
        trace_id for one in queue(spool, embed=embed, since=since) if one.state == "new" for trace_id in one.traces
    ]
    decided = spool.decided()
    said = {trace_id: spool.feedback(trace_id) for trace_id in about}
    cases = [case_of(spool.trace(trace_id), of_it) for trace_id, of_it in said.items()]
    told = sorted((case for case in cases if case.question), key=_asked_at)
    groups = grouped([*known, *told], embed=embed, terms=terms)
    corrected_at = {trace_id: _corrected_at(of_it) for trace_id, of_it in said.items()}
    merged = (_collected(group, known, decided, corrected_at) for group in groups)
    return Complaints(
        collected=tuple(one for one in merged if one),
        traces=tuple(trace_id for trace_id, case in zip(said, cases, strict=True) if case.question),
        mute=len(cases) - len(told),
        left_out=left_out(spool, since=since),
    )


def grouped(cases: Sequence[Case], *, embed: Embed, terms: Terms) -> list[list[Case]]:
    """Cases that ask for the same, each with the first that does: near in meaning, with the same conversation before.

    Numbers, names and negations have to be the same: by their vectors alone two years can't be told apart. Cases of the
    same answer are together, whatever a person made of its question.
    """
    if not cases:
        return []
    vectors = np.asarray(embed([case.question for case in cases]), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12
    keys = [(_before(case), _telling(case.question, terms)) for case in cases]
    groups: list[list[int]] = []
    for place, key in enumerate(keys):
        near = [(float(vectors[group[0]] @ vectors[place]), group) for group in groups if keys[group[0]] == key]
        nearness, group = max(near, key=lambda one: one[0], default=(0.0, []))
        own = next((group for group in groups if any(_is_same(cases[one], cases[place]) for one in group)), None)
        if own or nearness >= SAME_CASE:
            (own or group).append(place)
        else:
            groups.append([place])
    return [[cases[place] for place in group] for group in groups]


def _corrected_at(said: Sequence[Feedback]) -> float:
    """When an answer was corrected last, 0 for one that was not."""
    return max((one.changed_at for one in said if one.correction.strip()), default=0.0)


def _collected(
    group: Sequence[Case],
    known: Sequence[Case],
    decided: Mapping[str, tuple[Decision, float]],
    corrected_at: Mapping[str, float],
) -> Collected | None:
    """What a group comes to, `known` ones first in it; None where nothing is new."""
    held = [case for case in group if case in known]
    latest_first = [case for case in reversed(group) if case not in known]
    if not latest_first:
        return None
    counted = {case.then.trace_id for case in held if case.then}
    counted |= {trace_id for trace_id, (decision, _) in decided.items() if decision == "case"}
    new = [trace_id for trace_id in map(_trace_id, latest_first) if trace_id not in counted]
    merged = _merged(latest_first, corrected_at)
    case = _taken_in(held[0], merged) if held else merged
    weight = (held[0].weight if held else 0) + len(new)
    return Collected(
        case=replace(case, weight=min(max(weight, 1.0), MOST_WEIGHT)),
        traces=tuple(new),
        questions=tuple(dict.fromkeys(one.question for one in latest_first if one.question != case.question)),
        set_aside=_right(case, merged)[len(_right(case)) :],
        is_new=not held,
    )


def _merged(latest_first: Sequence[Case], corrected_at: Mapping[str, float]) -> Case:
    """One case of several: what the latest is, with what people said of all, and expecting what they said last."""
    sources = _each(case.sources for case in latest_first)
    tags = _each(case.tags for case in latest_first)
    right = _right(*sorted(latest_first, key=lambda case: corrected_at[_trace_id(case)], reverse=True))
    return replace(
        latest_first[0],
        expected=right[0] if right else "",
        also=right[1:],
        sources=sources,
        evidence=() if len(sources) > 1 else _each(case.evidence for case in latest_first),
        tags=_each([tags, (ANY,) if len(sources) > 1 else ()]),
    )


def _taken_in(held: Case, new: Case) -> Case:
    """A case that was there before, with the latest answer; what nobody confirmed takes what people say now."""
    then = max((held.then, new.then), key=lambda one: one.asked_at if one else 0.0)
    if held.confirmed or not new.expects:
        tags = (tag for tag in new.tags if tag != ANY)
        return replace(held, tags=_each([held.tags, tags]), then=then)
    right = _right(new, held)
    told = replace(held, expected=right[0] if right else "", also=right[1:])
    said = replace(told, tags=_each([held.tags, new.tags]), then=then)
    return replace(said, sources=new.sources, evidence=new.evidence) if new.sources else said


def _right(*cases: Case) -> tuple[str, ...]:
    """What people gave as right answers of these cases, each once."""
    return each_answer(text for case in cases for text in (case.expected, *case.also))


def _each(of: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for some in of for one in some))


def _is_same(one: Case, other: Case) -> bool:
    return one.id == other.id or (_trace_id(one) == _trace_id(other) != "")


def _trace_id(case: Case) -> str:
    return case.then.trace_id if case.then else ""


def _asked_at(case: Case) -> float:
    return case.then.asked_at if case.then else 0.0


def _before(case: Case) -> tuple[str, ...]:
    return tuple(" ".join(turn.question.casefold().split()) for turn in case.history)


def _telling(question: str, terms: Terms) -> frozenset[object]:
    return frozenset(word.key for word in words(question, terms) if word.sort in TELLING)
