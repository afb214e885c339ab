"""A reply while it streams: what is shown, what counts as a refusal."""

from __future__ import annotations

import pytest

from rag.errors import ModelError
from rag.llm.protocol import Chance, Piece
from rag.reply import DECLINE, Reply
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
    reply = Reply(decline_at=0.5)
    assert shown(reply, "28 ", "days", finished("28 days")) == ["28 ", "days"]
    assert not reply.declined
    assert reply.first_token_ms == 1.0
    assert reply.call.text == "28 days"


@pytest.mark.parametrize(
    "pieces", [("NOT", " IN THE", " DOCUMENTS"), ("not in the documents",), (f" {DECLINE}.",), ("",)]
)
def test_a_refusal_is_never_shown(pieces: tuple[str, ...]) -> None:
    reply = Reply(decline_at=0.5)
    assert shown(reply, *pieces, finished("".join(pieces))) == []
    assert reply.declined
    assert not reply.doubtful


def test_what_only_begins_like_a_refusal_is_shown_late_but_whole() -> None:
    reply = Reply(decline_at=0.5)
    assert "".join(shown(reply, "NOT", " on", " Fridays", finished("NOT on Fridays"))) == "NOT on Fridays"
    assert "".join(shown(Reply(decline_at=0.5), "No", finished("No"))) == "No"


@pytest.mark.parametrize(("chance", "declined"), [(0.2, False), (0.5, True), (0.9, True)])
def test_a_likely_refusal_counts_as_one(chance: float, declined: bool) -> None:
    reply = Reply(decline_at=0.5)
    text = shown(reply, Chance(probability=chance), "20", " GB", finished("20 GB"))
    assert (reply.declined, "".join(text)) == (declined, "" if declined else "20 GB")
    assert reply.chance == chance


def test_a_limit_of_one_leaves_it_to_the_model() -> None:
    reply = Reply(decline_at=1)
    assert shown(reply, Chance(probability=1.0), "20 GB", finished("20 GB")) == ["20 GB"]


def test_an_unlikely_refusal_is_doubtful() -> None:
    reply = Reply(decline_at=0.5)
    shown(reply, Chance(probability=0.3), DECLINE, finished(DECLINE))
    assert reply.declined
    assert reply.doubtful


def test_a_stream_without_an_end_is_an_error() -> None:
    reply = Reply(decline_at=0.5)
    shown(reply, "28")
    with pytest.raises(ModelError, match="without a result"):
        _ = reply.call
