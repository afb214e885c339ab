"""The cases that turned: right before and wrong now, or the other way round, with both answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evals.metrics import Metric
from evals.pairs import Pairs, Scored, scored
from evals.records import Record
from rag.case import Case

# A case counts as right where at least half of its repetitions were.
RIGHT_AT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A case that turned, in which metrics for the worse and for the better, and an answer of each side.

    Where a case was asked several times, the answers are those of repetitions that show the change. `then_trace` is
    that of the answer which the case was made of, '' where it was made of none.
    """

    case_id: str
    question: str
    expected: tuple[str, ...]
    tags: tuple[str, ...]
    confirmed: bool
    lost: tuple[str, ...]
    won: tuple[str, ...]
    first: str
    second: str
    first_trace: str
    second_trace: str
    then_trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """A yes/no metric in which a case turned."""

    metric: Metric
    scored: Scored
    is_won: bool


def flips(pairs: Pairs, metrics: Sequence[Metric]) -> tuple[Flip, ...]:
    """The losses first, those of the answer before those of what was found, and of them those that lost most."""
    turns: dict[str, list[_Turn]] = {}
    for metric in metrics:
        cases = scored(pairs, metric.name)
        if all(value in (0.0, 1.0) for one in cases for value in (*one.first, *one.second)):
            for turn in (_turn(metric, one) for one in cases):
                if turn:
                    turns.setdefault(turn.scored.pair.case.id, []).append(turn)
    return tuple(_flip(found) for found in sorted(turns.values(), key=_order))


def _turn(metric: Metric, one: Scored) -> _Turn | None:
    before, after = (value >= RIGHT_AT for value in one.means)
    if before == after:
        return None
    return _Turn(metric=metric, scored=one, is_won=after != metric.low_is_good)


def _order(turns: Sequence[_Turn]) -> tuple[int, int]:
    lost = [turn.metric for turn in turns if not turn.is_won]
    return -sum(metric.group != "retrieval" for metric in lost), -len(lost)


def _flip(turns: Sequence[_Turn]) -> Flip:
    main = min(turns, key=lambda turn: (turn.is_won, turn.metric.group == "retrieval"))
    case, pair = main.scored.pair.case, main.scored.pair
    high_first = main.is_won == main.metric.low_is_good
    first = _shown(pair.first, main.metric.name, highest=high_first)
    second = _shown(pair.second, main.metric.name, highest=not high_first)
    return Flip(
        case_id=case.id,
        question=case.question,
        expected=_expected(case),
        tags=case.tags,
        confirmed=case.confirmed,
        lost=tuple(turn.metric.name for turn in turns if not turn.is_won),
        won=tuple(turn.metric.name for turn in turns if turn.is_won),
        first=_said(first),
        second=_said(second),
        first_trace=first.answer.trace_id if first.answer else "",
        second_trace=second.answer.trace_id if second.answer else "",
        then_trace=case.then.trace_id if case.then else "",
    )


def _expected(case: Case) -> tuple[str, ...]:
    if not case.answerable:
        return ("to be declined",)
    return (case.expected,) if case.expected else tuple(" or ".join(fact) for fact in case.facts)


def _shown(records: Sequence[Record], metric: str, *, highest: bool) -> Record:
    """The repetition with the highest, or the lowest, score."""
    having = [(value, record) for record in records if (value := record.scores.get(metric)) is not None]
    return (max if highest else min)(having, key=lambda pair: pair[0])[1]


def _said(record: Record) -> str:
    return record.answer.text if record.answer else f"failed: {record.error}"
