"""A question and what became of it, and how both are written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from rag.abstention import CLOSEST
from rag.types import Answer, Step

UNREADABLE = "This was kept by another version of Plumbline and can't be shown."
WORDS = ("question", "answer", "problem")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question and what became of it.

    `text` is what the model wrote so far, `answer` the checked answer, `steps` what its trace holds, `problem` why
    there is no answer. With `anew` no answer that was given before is wanted. An exchange that is still 'answering'
    when a run of the script begins was stopped. 'withheld' is an answer that is no longer this visitor's to read.
    """

    id: str
    question: str
    state: Literal["asked", "answering", "answered", "stopped", "failed", "withheld"] = "asked"
    text: str = ""
    answer: Answer | None = None
    steps: tuple[Step, ...] = ()
    problem: str = ""
    anew: bool = False


_EXCHANGE = TypeAdapter(Exchange)


def encode(exchange: Exchange, *, keep: Callable[[Any], Any]) -> str:
    """The exchange as JSON, of its words what `keep` lets through.

    Without its steps, which its trace holds, and without what a model wrote before it was stopped: nobody knows who
    may read that.
    """
    answer = _drawable(exchange.answer) if exchange.answer else None
    told = asdict(replace(exchange, answer=answer, steps=(), text=""))
    return json.dumps({**told, **{name: keep(told[name]) for name in WORDS}})


def decode(text: str, *, identifier: str, question: str) -> Exchange:
    """What `encode` wrote, or in its place an exchange that says it can't be read; one without an end was stopped."""
    try:
        exchange: Exchange = _EXCHANGE.validate_python(json.loads(text))
    except (ValidationError, ValueError):
        return Exchange(id=identifier, question=question, state="failed", problem=UNREADABLE)
    return replace(exchange, state="stopped") if exchange.state in ("asked", "answering") else exchange


def _drawable(answer: Answer) -> Answer:
    """The answer without the hits that are never drawn; who may read those still counts."""
    return replace(answer, hits=answer.hits[:CLOSEST] if answer.abstained else (), history_readers=answer.readers)
