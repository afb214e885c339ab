"""The questions and answers of one browser tab, kept in Streamlit's session state."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import streamlit as st

from rag.types import Answer, Step, Turn

EXCHANGES = "exchanges"
SESSION = "session_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question and what became of it.

    `text` is what the model wrote so far, `answer` the checked answer, `steps` what its trace holds, `problem` why
    there is no answer. With `anew` no answer that was given before is wanted. An exchange that is still 'answering'
    when a run of the script begins was stopped.
    """

    id: str
    question: str
    state: Literal["asked", "answering", "answered", "stopped", "failed"] = "asked"
    text: str = ""
    answer: Answer | None = None
    steps: tuple[Step, ...] = ()
    problem: str = ""
    anew: bool = False


def exchanges() -> tuple[Exchange, ...]:
    """All exchanges of this conversation, oldest first."""
    held: tuple[Exchange, ...] = st.session_state.get(EXCHANGES, ())
    return held


def session_id() -> str:
    """The id that the traces of this conversation share."""
    held: str = st.session_state.setdefault(SESSION, uuid.uuid4().hex)
    return held


def put(question: str) -> None:
    """Add a question that waits for its answer."""
    st.session_state[EXCHANGES] = (*exchanges(), Exchange(id=uuid.uuid4().hex, question=question))


def keep(exchange: Exchange) -> None:
    """Replace the exchange that has the same id."""
    st.session_state[EXCHANGES] = tuple(exchange if held.id == exchange.id else held for held in exchanges())


def ask_again(exchange: Exchange, question: str) -> None:
    """Ask in the place of an exchange, which goes with all that came after it; the same question is answered anew."""
    earlier = exchanges()[: [held.id for held in exchanges()].index(exchange.id)]
    asked = Exchange(id=uuid.uuid4().hex, question=question, anew=question == exchange.question)
    st.session_state[EXCHANGES] = (*earlier, asked)


def settle() -> None:
    """Call what was interrupted by its name; to be called once, when a run of the script begins."""
    for exchange in exchanges():
        if exchange.state == "answering":
            keep(replace(exchange, state="stopped"))


def begin_anew() -> None:
    """Forget the conversation; its traces stay."""
    st.session_state[EXCHANGES] = ()
    st.session_state.pop(SESSION, None)


def turns(held: Sequence[Exchange]) -> list[Turn]:
    """The answered exchanges as the engine wants them."""
    return [
        Turn(question=one.question, answer=one.answer.text, readers=one.answer.readers) for one in held if one.answer
    ]
