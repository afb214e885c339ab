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
    "mail",
    [
        *("ada+news@sub.x.example", "jörg@müller.example", "o'brien@x.example", "ada%home@x.example"),
        *("用户@例子.公司", "-ada@x.example", "a_b-c.d@x-y.example", "ada@xn--mller-kva.example"),
    ],
)
def test_mail_addresses_of_all_kinds(mail: str) -> None:
    assert MASK(f"Write to {mail}, or '{mail}'.") == "Write to [mail], or '[mail]'."


@pytest.mark.parametrize(
    "number",
    [
        *("+1 555 123 4567", "1-800-555-0199", "+44 20 7946 0958", "020 7946 0958", "+33 1 23 45 67 89"),
        *("01.23.45.67.89", "+39 06 1234 5678", "+81 3-1234-5678", "+91 98765 43210", "+86 138 0013 8000"),
        *("+55 (11) 91234-5678", "+41 44 123 45 67", "+7 (495) 123-45-67", "8 (495) 123-45-67", "+4915112345678"),
        *("0049301234567", "+972-50-123-4567", "+45\u00a012\u00a034\u00a056\u00a078"),
    ],
)
def test_phone_numbers_of_many_countries(number: str) -> None:
    assert MASK(f"Call {number} now.") == "Call [phone] now."


@pytest.mark.parametrize(
    "number",
    [
        *("DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19"),
        *("FR14 2004 1010 0505 0001 3M02 606", "NL91ABNA0417164300", "CH93 0076 2011 6238 5295 7"),
        *("NO93 8601 1117 947", "MT84MALT011000012345MTLCAST001S"),
    ],
)
def test_account_numbers_end_where_their_check_digits_say(number: str) -> None:
    assert MASK(f"IBAN {number} BIC COBADEFF") == "IBAN [iban] BIC COBADEFF"
    wrong = f"{number[:2]}00{number[4:]}"
    assert "[iban]" not in MASK(wrong)


# Put together here, so that nobody takes one for a real one.
@pytest.mark.parametrize(
    "before", ["npm_", "gsk_", "hf_", "ghp_", "r8_", "lin_api_", "GOCSPX-", "nvapi-", "pplx-", "SG.a-"]
)
def test_keys_of_services(before: str) -> None:
    middle = ".".join(["aB3d" * 6] * 2) if before.startswith("SG.") else "aB3d" * 12
    assert MASK(f"Use {before}{middle}, please") == "Use [key], please"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dapi" + "0a1b2c3d" * 4 + " shpat_" + "0a1b2c3d" * 4 + " dop_v1_" + "0a1b2c3d" * 8, "[key] [key] [key]"),
        ("https://hooks.slack.com/services/T000/B000/" + "X" * 24, "https://[key]"),
        ("eyJhbGciOiJSU0Et..48V1_ALb6US04U3b.5eym8TW_c8SuK0lt.XFBoMYUZodetZdvT", "[key]"),
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----",
            "[key]",
        ),
        ("postgres://ada:pa!ss@localhost/app", "postgres://ada:[key]@localhost/app"),
        ("redis://:s3cr3t@10.0.0.1:6379", "redis://:[key]@10.0.0.1:6379"),
        ("https://x.example/?sig=abcdefghijklmnopqrst%3D&b=1", "https://x.example/?sig=[key]&b=1"),
        ("Authorization: Basic YWRhOmh1bnRlcjIyeA==", "Authorization: Basic [key]"),
        ("clientSecret: abc123def, X-Api-Key: abc123def", "clientSecret: [key], X-Api-Key: [key]"),
        ("DB_PASS=hunter22x pwd: hunter22x --password hunter22x", "DB_PASS=[key] pwd: [key] --password [key]"),
        ("password: 'correct horse battery', contraseña: hunter22x", "password: '[key]', contraseña: [key]"),
        ('{\\"password\\": \\"hunter22x\\", \\"b\\": 1}', '{\\"password\\": \\"[key]\\", \\"b\\": 1}'),
    ],
)
def test_secrets_by_their_form_or_name(text: str, expected: str) -> None:
    assert MASK(text) == expected
    assert MASK(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-26, 26.11.2026, 12 500 000 km, 2019-2020, EUR 1,234,567.89",
        "ISBN 978-3-16-148410-0, 192.168.100.200:6333, DIN EN 61000-6-2, version 4.2.0",
        "1234567890123456 has no check digit; 0.38 EUR; at 09:00 - 17:30",
        "01-02-2026, 01 02 2026, 11/26/2026 09:00, 2026-11-26T09:00:00+01:00, 1795718452562, 0x7ffee4bff5c0",
        "Order 0012345678, order no. 4500123456, INV-2026-000123, 100-200-3000, ISBN 9783161484100, EAN 4006381333931",
        "550e8400-e29b-41d4-a716-446655440000, 10.0.19045.3803, 1.2.840.113549.1.1.11, 4.2.0-rc.1+build.5",
        "sk-learn-contrib-extensions, hf_hub_download_with_retries, max_tokens: 100000, LOT DE12 345, [1]",
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
