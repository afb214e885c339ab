"""Feedback that people gave in Langfuse itself: annotations of our traces, read back as what a person says.

Import this file where it is used: it brings in the langfuse package, which takes a second.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rag.errors import InputError
from rag.feedback import REASONS
from rag.observe.langfuse import Langfuse
from rag.observe.scores import ANNOTATOR, CITATION, REASON, THUMB
from rag.observe.spool import Spool
from rag.types import Feedback

# An annotation can be changed long after it was made: so far back all are read again each time.
WINDOW_S = 30 * 86_400.0
# Of one person's comments on one answer.
MAX_CHARS = 20_000
_CITED = re.compile(rf"{CITATION}-(\d{{1,3}})")


def read_back(spool: Spool, langfuse: Langfuse) -> int:
    """Keep what was annotated lately; returns how many answers it changed. Raises DeliveryError, StoreError.

    One that was deleted there stays here.
    """
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for score in langfuse.annotations(since=time.time() - WINDOW_S):
        if trace_id := _trace_id(score.subject):
            found[trace_id, f"{ANNOTATOR}{score.author_user_id or 'somebody'}"].append(score)
    return sum(_keep(spool, trace_id, user, scores) for (trace_id, user), scores in found.items())


def _told(first: Feedback, scores: Sequence[Any]) -> Feedback:
    """What the scores of one person on one trace say together; those without a place of their own make a comment."""
    said = first
    for score in sorted(scores, key=lambda one: (one.timestamp, one.id)):
        said = _added(said, score)
    return said


def _merged(known: Feedback, said: Feedback) -> Feedback:
    """What a person said before, and says now: what is no longer among the annotations stays."""
    lines = dict.fromkeys([*known.comment.splitlines(), *said.comment.splitlines()])
    return replace(
        known,
        up=known.up if said.up is None else said.up,
        reasons=(*known.reasons, *said.reasons),
        comment="\n".join(lines)[:MAX_CHARS],
        correction=said.correction or known.correction,
        citations={**known.citations, **said.citations},
    )


def _added(said: Feedback, score: Any) -> Feedback:
    if score.comment:
        said = _commented(said, score.comment)
    match score.data_type:
        case "BOOLEAN" if score.name == THUMB:
            return replace(said, up=bool(score.value))
        case "BOOLEAN" if found := _CITED.fullmatch(score.name):
            return replace(said, citations={**said.citations, int(found[1]): bool(score.value)})
        case "CATEGORICAL" if score.name == REASON and score.value in REASONS:
            return replace(said, reasons=(*said.reasons, score.value))
        case "CORRECTION":
            return replace(said, correction=score.value[:MAX_CHARS])
        case "TEXT":
            return _commented(said, score.value)
        case _:
            return _commented(said, f"{score.name}: {score.value}")


def _commented(said: Feedback, words: str) -> Feedback:
    return replace(said, comment="\n".join(part for part in (said.comment, words) if part))


def _keep(spool: Spool, trace_id: str, user: str, scores: Sequence[Any]) -> bool:
    """Keep it with what is known, if it is news and of a trace that is here."""
    nothing = Feedback(trace_id=trace_id, user=user, created_at=min(one.timestamp.timestamp() for one in scores))
    known = next((one for one in spool.feedback(trace_id) if one.user == user), nothing)
    # As it would be kept: masked words are known again by what they became.
    said = spool.as_kept(_told(nothing, scores))
    try:
        return spool.add_feedback(_merged(known, said))
    except InputError:
        return False


def _trace_id(subject: Any) -> str:
    """The trace that an annotation is of: itself, or one of its observations."""
    if subject is None:
        return ""
    return str(getattr(subject, "trace_id", None) or (subject.id if subject.kind == "trace" else "") or "")
