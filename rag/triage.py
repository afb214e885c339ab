"""Bad answers as a queue: the most frequent kind first, the same complaint once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from rag.embed import Matrix
from rag.observe.rows import TraceRow
from rag.topics import topics
from rag.types import Decision, Feedback

DECISIONS: tuple[Decision, ...] = get_args(Decision)
# Questions so near in meaning are asked for the same.
SAME_COMPLAINT = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Answers to nearly the same question that are bad in the same way, the latest first.

    `kind` is the reason that was given, 'rated down' without one, or 'unsupported' where nobody rated. `comments` are
    what people said, `correction` the answer that somebody would have wanted.
    """

    kind: str
    question: str
    traces: tuple[str, ...]
    state: Decision
    comments: tuple[str, ...]
    correction: str


def complaints(
    rows: Sequence[TraceRow],
    *,
    said: Mapping[str, Sequence[Feedback]],
    states: Mapping[str, Decision],
    embed: Callable[[Sequence[str]], Matrix],
) -> list[Complaint]:
    """The queue: complaints of the most frequent kind first, of a kind those with most answers.

    `said` is the feedback of each trace, `states` what was decided on it. A complaint is in the state of its latest
    answer: one that comes after it was fixed makes it new.
    """
    kinds = {row.id: _kind(row, said.get(row.id, ())) for row in rows}
    counts = Counter(kinds.values())
    found: list[Complaint] = []
    for kind in sorted(counts, key=lambda kind: (-counts[kind], kind)):
        own = [row for row in rows if kinds[row.id] == kind]
        groups = topics([row.question for row in own], embed=embed, nearness=SAME_COMPLAINT)
        found += [_complaint(kind, [own[place] for place in group.places], said, states) for group in groups]
    return found


def _kind(row: TraceRow, said: Sequence[Feedback]) -> str:
    reasons = Counter(reason for one in said for reason in one.reasons)
    if reasons:
        return reasons.most_common(1)[0][0]
    return "rated down" if row.rating is False else "unsupported"


def _complaint(
    kind: str, rows: Sequence[TraceRow], said: Mapping[str, Sequence[Feedback]], states: Mapping[str, Decision]
) -> Complaint:
    heard = [one for row in rows for one in said.get(row.id, ())]
    return Complaint(
        kind=kind,
        question=rows[0].question,
        traces=tuple(row.id for row in rows),
        state=states.get(rows[0].id, "new"),
        comments=tuple(one.comment for one in heard if one.comment),
        correction=next((one.correction for one in heard if one.correction), ""),
    )
