"""Feedback as Langfuse scores: thumbs are boolean, reasons categorical, the right answer is a correction.

Import this file where it is used: it brings in the langfuse package, which takes a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from langfuse.api.commons import ScoreDataType
from langfuse.api.scores import CreateScoreRequest

from rag.types import Feedback

Kind = Literal["BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION"]
THUMB, REASON, COMMENT, CITATION = "user-feedback", "user-feedback-reason", "user-feedback-comment", "citation"
# Whoever annotates in Langfuse itself is called so here, with the id that Langfuse knows them by.
ANNOTATOR = "langfuse:"
# The name under which Langfuse shows a correction beside the trace's output.
CORRECTION = "output"
# Longer texts of this type are refused.
MAX_TEXT_CHARS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Score:
    """One score of a person; `key` tells it from the others of the same name."""

    name: str
    value: float | str
    type: Kind
    key: str = ""
    comment: str = ""


def scores(said: Sequence[Feedback], *, has_texts: bool) -> list[CreateScoreRequest]:
    """The scores of what everyone says of a trace, each with an id that stays; without texts if these are not to go."""
    ours = (one for one in said if not one.user.startswith(ANNOTATOR))
    return [_request(one, score, has_texts=has_texts) for one in ours for score in _scores(one, has_texts=has_texts)]


def _scores(said: Feedback, *, has_texts: bool) -> Iterator[_Score]:
    if said.up is not None:
        yield _Score(name=THUMB, value=float(said.up), type="BOOLEAN", comment=said.comment)
    elif said.comment and has_texts:
        yield _Score(name=COMMENT, value=said.comment[:MAX_TEXT_CHARS], type="TEXT")
    for reason in said.reasons:
        yield _Score(name=REASON, value=reason, type="CATEGORICAL", key=reason)
    for marker, up in said.citations.items():
        yield _Score(name=f"{CITATION}-{marker}", value=float(up), type="BOOLEAN")
    if said.correction and has_texts:
        yield _Score(name=CORRECTION, value=said.correction, type="CORRECTION")


def _request(said: Feedback, score: _Score, *, has_texts: bool) -> CreateScoreRequest:
    person = hashlib.sha256(said.user.encode()).hexdigest()[:16] if said.user else ""
    own: dict[str, Any] = {"user": said.user} if said.user else {}
    return CreateScoreRequest(
        id="-".join(part for part in (score.name, score.key, said.trace_id, person) if part),
        trace_id=said.trace_id,
        name=score.name,
        value=score.value,
        data_type=ScoreDataType(score.type),
        comment=(score.comment or None) if has_texts else None,
        metadata=own or None,
        # Langfuse replaces a score that comes again with the same id and the same time.
        timestamp=datetime.fromtimestamp(said.created_at, UTC),
    )
