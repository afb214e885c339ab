"""A reply: what is shown while it streams, what counts as a refusal, how likely a yes is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.errors import ModelError
from rag.llm.protocol import Piece
from rag.reply import DECLINE, Reply, answerable, yes_chance
from rag.types import Generation, Usage


def finished(text: str) -> Generation:
    return Generation(
        text=text,
        requested_model="scripted:x",
        resolved_model="x",
        fingerprint=None,
        finish_reason="stop",
        usage=Usage(),
        first_token_ms=1.0,
        total_ms=2.0,
    )


def shown(reply: Reply, *pieces: Piece) -> list[str]:
    return [text for at, piece in enumerate(pieces, 1) if (text := reply.take(piece, at_ms=float(at)))]


def test_an_answer_is_shown_as_it_comes() -> None:
    reply = Reply()
    assert shown(reply, "28 ", "days", finished("28 days")) == ["28 ", "days"]
    assert not reply.declined
    assert reply.first_token_ms == 1.0
    assert reply.call.text == "28 days"


@pytest.mark.parametrize(
    "pieces", [("NOT", " IN THE", " DOCUMENTS"), ("not in the documents",), (f" {DECLINE}.",), ("",)]
)
def test_a_refusal_is_never_shown(pieces: tuple[str, ...]) -> None:
    reply = Reply()
    assert shown(reply, *pieces, finished("".join(pieces))) == []
    assert reply.declined


@pytest.mark.parametrize(
    "said", ["Nicht in den Dokumenten.", "NO ESTÁ EN LOS DOCUMENTOS", "**Pas dans les documents**"]
)
def test_a_translated_refusal_is_one(said: str) -> None:
    reply = Reply()
    reply.take(finished(said), at_ms=1.0)
    assert reply.declined
    assert yes_chance(finished(said)) == yes_chance(finished("Nein.")) == yes_chance(finished("Non")) == 0.0
    assert shown(Reply(), "No", " está", " permitido.", finished("No está permitido.")) == ["No está permitido."]


def test_what_only_begins_like_a_refusal_is_shown_late_but_whole() -> None:
    reply = Reply()
    assert "".join(shown(reply, "NOT", " on", " Fridays", finished("NOT on Fridays"))) == "NOT on Fridays"
    assert "".join(shown(Reply(), "No", finished("No"))) == "No"


@pytest.mark.parametrize(
    ("text", "chance"),
    [("Yes", 1.0), ("yes.", 1.0), ("No", 0.0), ("**No**, they don't", 0.0), (DECLINE, 0.0), ("Nobody", 1.0), ("", 1.0)],
)
def test_a_server_that_tells_no_chances_is_taken_at_its_word(text: str, chance: float) -> None:
    assert yes_chance(finished(text)) == chance


def test_a_chance_that_is_told_counts_more_than_the_word() -> None:
    assert yes_chance(replace(finished("Yes"), chances={"Yes": 0.4, "No": 0.6})) == 0.4


def asked(chance: float) -> Generation:
    return replace(finished("Yes"), chances={"Yes": chance, "No": 1 - chance})


def test_what_counts_is_how_much_the_passages_changed_the_models_mind() -> None:
    assert answerable(asked(0.6), finished("28"), asked(0.6)) == pytest.approx(0.5)
    assert answerable(asked(0.9), finished("28"), asked(0.6)) < 0.2
    assert answerable(asked(0.3), finished("28"), asked(0.6)) > 0.75
    assert (
        0 < answerable(asked(1.0), finished("28"), asked(0.0)) < answerable(asked(0.0), finished("28"), asked(1.0)) < 1
    )


@pytest.mark.parametrize("after", [0.0, 0.001, 0.01])
def test_a_no_before_reading_does_not_outweigh_a_no_after_it(after: float) -> None:
    assert answerable(asked(0.0), finished("28"), asked(after)) < 0.15


def test_without_a_prior_the_yes_counts_as_it_is() -> None:
    assert answerable(finished("The"), finished("28"), asked(0.9)) == 0.9


def test_a_refusal_or_a_plain_no_decides_alone() -> None:
    assert answerable(asked(0.1), finished(DECLINE), asked(0.9)) == 0.0
    assert answerable(finished("No"), finished("28"), finished("Yes")) == 1.0
    assert answerable(finished("Yes"), finished("28"), finished("No")) == 0.0


def test_a_stream_without_an_end_is_an_error() -> None:
    reply = Reply()
    shown(reply, "28")
    with pytest.raises(ModelError, match="without a result"):
        _ = reply.call
