"""Bad answers as a queue: the most frequent kind first, the same complaint once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from rag.embed import Matrix
from rag.observe.filter import Filter
from rag.observe.restricted import visible
from rag.observe.rows import TraceRow
from rag.observe.spool import Spool
from rag.topics import topics
from rag.types import Decision, Feedback, Scope

DECISIONS: tuple[Decision, ...] = get_args(Decision)
# What stands for the question where `trace.content` is "none".
NO_TEXT = "(no texts are kept)"
# Questions so near in meaning ask for the same: as for SAME_TOPIC, 23 and 10 % of pairs, and 0.09 and 0.03 %.
SAME_COMPLAINT = 0.8
# More of the latest bad answers are not looked at, of those that were decided on and of the others each.
MOST = 1_000

Embed = Callable[[Sequence[str]], Matrix]


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Answers to nearly the same question that are bad in the same way, the latest first.

    `kind` is the reason that was given, 'rated down' without one, 'corrected' where nobody rated it down, or
    'unsupported' where nobody found fault. `question` and `answer`, its first line, are the latest's, '' where no texts
    are kept. `comments` are what people said, `correction` the last answer that somebody would have wanted.
    """

    kind: str
    question: str
    answer: str
    traces: tuple[str, ...]
    state: Decision
    comments: tuple[str, ...]
    correction: str


def queue(spool: Spool, *, embed: Embed, since: float | None = None, scope: Scope | None = None) -> list[Complaint]:
    """The complaints about the latest answers, from a Unix time on: with a scope, of those that it may read.

    Answers of eval runs are none. A trace without texts is a complaint by itself: nobody knows what it asks.
    `left_out()` tells whether these are all.
    """
    found = [
        row for is_decided in (False, True) for row in spool.traces(_bad(since, is_decided=is_decided), limit=MOST)
    ]
    rows = sorted(found, key=lambda row: row.started_at, reverse=True)
    mine = [row for row in rows if scope is None or _may_read(spool, row, scope)]
    said = {row.id: spool.feedback(row.id) for row in mine}
    return complaints(mine, said=said, decided=spool.decided(), embed=embed) if mine else []


def left_out(spool: Spool, *, since: float | None = None) -> int:
    """How many bad answers that nobody decided on are older than those which the queue looks at."""
    return max(0, spool.count(_bad(since, is_decided=False)) - MOST)


def complaints(
    rows: Sequence[TraceRow],
    *,
    said: Mapping[str, Sequence[Feedback]],
    decided: Mapping[str, tuple[Decision, float]],
    embed: Embed,
) -> list[Complaint]:
    """The queue: complaints of the most frequent kind first, of a kind those with most answers.

    `said` is the feedback of each trace, `decided` what was decided on it, and when. The last decision on any of its
    answers holds for a complaint, until another answer or what somebody says of one comes after it: then it is new.
    """
    kinds = {row.id: _kind(said.get(row.id, ())) for row in rows}
    counts = Counter(kinds.values())
    found: list[Complaint] = []
    for kind in sorted(counts, key=lambda kind: (-counts[kind], kind)):
        own = [row for row in rows if kinds[row.id] == kind]
        told = [row for row in own if row.question]
        groups = topics([row.question for row in told], embed=embed, nearness=SAME_COMPLAINT) if told else []
        found += [_complaint(kind, [told[place] for place in group.places], said, decided) for group in groups]
        found += [_complaint(kind, [row], said, decided) for row in own if not row.question]
    return found


def _bad(since: float | None, *, is_decided: bool) -> Filter:
    return Filter(name="ask", is_live=True, is_complaint=True, is_decided=is_decided, since=since)


def _may_read(spool: Spool, row: TraceRow, scope: Scope) -> bool:
    trace = spool.trace(row.id)
    return visible(trace, scope) is trace


def _kind(said: Sequence[Feedback]) -> str:
    reasons = Counter(reason for one in said for reason in one.reasons)
    if reasons:
        return reasons.most_common(1)[0][0]
    if any(one.up is False or False in one.citations.values() for one in said):
        return "rated down"
    return "corrected" if any(one.correction for one in said) else "unsupported"


def _complaint(
    kind: str,
    rows: Sequence[TraceRow],
    said: Mapping[str, Sequence[Feedback]],
    decided: Mapping[str, tuple[Decision, float]],
) -> Complaint:
    heard = [one for row in rows for one in said.get(row.id, ())]
    last = max((row.started_at for row in rows), default=0.0), *(one.changed_at for one in heard)
    corrections = [one.correction for one in sorted(heard, key=lambda one: one.changed_at) if one.correction]
    nothing: tuple[Decision, float] = ("new", 0.0)
    decision, at = max((decided.get(row.id, nothing) for row in rows), key=lambda told: told[1])
    return Complaint(
        kind=kind,
        question=rows[0].question,
        answer=rows[0].answer,
        traces=tuple(row.id for row in rows),
        state=decision if at > max(last) else "new",
        comments=tuple(one.comment for one in heard if one.comment),
        correction=corrections[-1] if corrections else "",
    )
