"""What names a person or opens a door is taken out of traces and feedback before anything is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import TRACE_ID, ask_trace

from rag.engine import Engine
from rag.errors import ConfigError
from rag.observe.mask import masked, patterns
from rag.settings import load_settings
from rag.types import Feedback

MASK = patterns({})
SECRETS = ["ada.l+x@kellmouth.example", "4111 1111 1111 1111", "+49 30 1234567", "sk-proj-abcdEFGH1234567890abcd"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to ada.l+x@kellmouth.example.", "Write to [mail]."),
        ("+49 (0)30 1234-567 or 030 / 123 45 67", "[phone] or [phone]"),
        ("(555) 123-4567, 555-123-4567, 0049 30 1234567", "[phone], [phone], [phone]"),
        ("4111 1111 1111 1111 and 5500-0000-0000-0004", "[card] and [card]"),
        ("sk-lf-12345678-90ab-cdef-1234-567890abcdef", "[key]"),
        ("AKIAIOSFODNN7EXAMPLE, ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[key], [key]"),
        ('password: hunter22x! API_KEY="abc123def456"', 'password: [key] API_KEY="[key]"'),
        ("sk-ant-api03-3xY_9abcdefghijklmnop, sk-proj-3xY_9abcdefghijklmnop", "[key], [key]"),
        ("DB_PASSWORD=hunter22secret, client_secret: 'abcdef'", "DB_PASSWORD=[key], client_secret: '[key]'"),
        ("Passwort: geheim123, password: correcthorse", "Passwort: [key], password: [key]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----", "[key]"),
    ],
)
def test_what_has_a_form_is_found(text: str, expected: str) -> None:
    assert MASK(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-26, 26.11.2026, 12 500 000 km, 2019-2020, EUR 1,234,567.89",
        "ISBN 978-3-16-148410-0, 192.168.100.200:6333, DIN EN 61000-6-2, version 4.2.0",
        "1234567890123456 has no check digit; 0.38 EUR; at 09:00 - 17:30",
        "The password must have 12 characters. A secret of 8 people. Ask the token desk.",
    ],
)
def test_other_numbers_and_words_stay(text: str) -> None:
    assert MASK(text) == text


def test_own_patterns_have_names() -> None:
    assert patterns({"badge": r"\bB-\d{4}\b"})("B-1234 and B-12") == "[badge] and B-12"
    with pytest.raises(ConfigError, match=r"trace\.patterns\.badge"):
        patterns({"badge": "("})


@given(st.text(alphabet="0123456789+-() @.:abk_", max_size=300))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert MASK(MASK(text)) == MASK(text)


def test_every_text_of_a_trace_is_masked_and_no_id() -> None:
    said = " ".join(SECRETS)
    trace = ask_trace(input=said, output=said, attributes={"session_id": "a@b.example", "citations": [{"quote": said}]})
    step = replace(trace.steps[0], attributes={"hits": [{"text": said, "uri": "docs/a.md"}]}, error=f"Error: {said}")
    shown = masked(replace(trace, steps=(step,)), MASK)
    assert not any(secret in repr(shown) for secret in SECRETS)
    assert (shown.id, shown.attributes["session_id"]) == (TRACE_ID, "a@b.example")
    assert shown.steps[0].attributes["hits"][0]["uri"] == "docs/a.md"


def test_nothing_of_it_touches_the_disk(filled: Path) -> None:
    config = filled / "plumbline.toml"
    config.write_text(config.read_text() + '\n[trace]\ncontent = "masked"\npatterns = { badge = "B-[0-9]{4}" }\n')
    engine = Engine.from_settings(load_settings(config))
    asked = f"How many days of annual leave has {SECRETS[0]} with badge B-1234?"
    answer = engine.ask(asked)
    engine.rate(
        Feedback(trace_id=answer.trace_id, up=False, comment=f"ask {SECRETS[0]}", correction=f"call {SECRETS[2]}")
    )
    (said,) = engine.spool.feedback(answer.trace_id)
    assert (said.comment, said.correction) == ("ask [mail]", "call [phone]")
    trace = engine.spool.trace(answer.trace_id)
    assert trace.input == "How many days of annual leave has [mail] with badge [badge]?"
    written = b"".join(file.read_bytes() for file in (filled / ".plumb").glob("traces.db*"))
    assert not any(secret.encode() in written for secret in (*SECRETS, "B-1234"))
