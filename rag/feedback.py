"""What may be said of an answer, and by whom."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from rag.errors import InputError
from rag.observe.restricted import visible
from rag.types import Feedback, Reason, Scope, Trace

if TYPE_CHECKING:
    from rag.observe.spool import Spool

THUMBS = {True: "up", False: "down"}
REASONS: tuple[Reason, ...] = get_args(Reason)


def rate(spool: Spool, feedback: Feedback, scope: Scope, *, max_chars: int) -> None:
    """Keep what the user of the scope says of an answer, in the place of what the same user said of it before.

    All of it is kept: who finds an answer good may still say what it lacks. Raises InputError for a trace that is
    unknown or not this user's to see, for longer texts, for a reason that is none, and for a citation that the answer
    does not have.
    """
    trace = spool.trace(feedback.trace_id)
    said = replace(feedback, trace_id=trace.id, user=scope.user)
    _check(said, trace, scope, max_chars=max_chars)
    spool.add_feedback(said)


def _check(said: Feedback, trace: Trace, scope: Scope, *, max_chars: int) -> None:
    if visible(trace, scope) is not trace:
        raise InputError(
            f"trace {trace.id} rests on passages that are not yours to read", expected="one of their readers"
        )
    if trace.name != "ask":
        raise InputError(f"trace {trace.id} is of '{trace.name}'", expected="that of an answer")
    for reason in said.reasons:
        checked_reason(reason)
    if (longest := max(len(said.comment), len(said.correction))) > max_chars:
        raise InputError(
            f"a text of {longest:,} characters",
            expected=f"at most {max_chars:,}",
            remedy="shorten it, or raise limits.feedback_chars",
        )
    markers = {citation["marker"] for citation in trace.attributes.get("citations", ())}
    if strange := sorted(set(said.citations) - markers):
        told = f"one of {', '.join(map(str, sorted(markers)))}" if markers else "none: the answer cites nothing"
        raise InputError(f"the answer has no citation {strange[0]}", expected=told)


def told(said: Feedback) -> str:
    """What a person says, in one line."""
    citations = [f"citation {marker} {THUMBS[up]}" for marker, up in said.citations.items()]
    thumb = [THUMBS[said.up]] if said.up is not None else []
    words = [said.comment] if said.comment else []
    right = [f"right would be: {said.correction}"] if said.correction else []
    parts = "; ".join([*thumb, *said.reasons, *citations, *words, *right])
    return f"{said.user or 'somebody'}: {' '.join(parts.split())}"


def checked_reason(told: str) -> Reason:
    """The reason that a text names; raises InputError."""
    for reason in REASONS:
        if reason == told:
            return reason
    raise InputError(f"unknown reason '{told[:40]}'", expected=f"one of {', '.join(REASONS)}")
