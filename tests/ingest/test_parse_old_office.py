"""Files of Office 97-2003 and of Outlook through the one door."""

from __future__ import annotations

from pathlib import Path

import pytest
from old_office import excel, outlook, powerpoint, record, text_record, word

from ingest.parse import Parsed, parse
from rag.errors import DocumentError

IN_TABLE, ROW_END, ITEM, OUTLINE = b"\x16\x24\x01", b"\x17\x24\x01", b"\x0b\x46\x01\x00", b"\x40\x26\x02"
LIMIT_LINES = "Zone: A; Limit: EUR 125\nZone: B; Limit: EUR 155"


def outline(document: Parsed) -> list[tuple[str, int, str]]:
    return [(element.kind, element.level, element.text) for element in document.elements]


def test_doc() -> None:
    cells = [("Zone", "Limit"), ("A", "EUR 125"), ("B", "EUR 155")]
    rows = [
        part
        for row in cells
        for part in [*((f"{cell}\x07", 0, IN_TABLE) for cell in row), ("\x07", 0, IN_TABLE + ROW_END)]
    ]
    data = word(
        [
            ("Trips\r", 1, b""),
            ("See \x13 HYPERLINK x \x14the page\x15 of 😀 Größe.\r", 0, b""),
            ("Hotels\r", 0, OUTLINE),
            ("one\r", 0, ITEM),
            ("two\r", 0, ITEM),
            *rows,
            ("The end.\r", 0, b""),
        ]
    )
    document = parse(Path("a.doc"), data)
    assert document.title == "Trips"
    assert outline(document) == [
        ("title", 1, "Trips"),
        ("text", 0, "See the page of 😀 Größe."),
        ("title", 3, "Hotels"),
        ("list", 0, "- one\n- two"),
        ("table", 0, LIMIT_LINES),
        ("text", 0, "The end."),
    ]


def test_ppt() -> None:
    slides = [
        (text_record(0, "Welcome"), record(3998, bytes(4)) + text_record(4, "Desk")),
        (b"", text_record(1, "one\rtwo") + text_record(6, "Numbers")),
    ]
    document = parse(Path("a.ppt"), powerpoint(slides))
    assert document.title == "Welcome"
    assert [(element.page, element.kind, element.text) for element in document.elements] == [
        (1, "title", "Welcome"),
        (1, "text", "Desk"),
        (2, "title", "Numbers"),
        (2, "list", "- one\n- two"),
    ]


def test_xls() -> None:
    rows: list[list[str | float]] = [["Zone", "Limit", "Rate"], ["A", "EUR 125", 0.5], ["B", "EUR 155", 1200000.0]]
    assert outline(parse(Path("limits.xls"), excel(rows)))[-1] == (
        "table",
        0,
        "Zone: A; Limit: EUR 125; Rate: 0.5\nZone: B; Limit: EUR 155; Rate: 1200000",
    )


def test_msg() -> None:
    texts = {0x0037: "Plans", 0x0C1A: "Lena", 0x0C1F: "lena@x.example", 0x1000: "Dear all,\n\nsee below."}
    data = outlook(texts, {"memo.md": b"# Memo\n\nBring a coat.\n", "plan.pdf": b"x"})
    for name in ("a.msg", "a.txt"):
        document = parse(Path(name), data)
        assert document.title == "Plans"
        assert outline(document) == [
            ("title", 1, "Plans"),
            ("text", 0, 'From: "Lena" <lena@x.example>\nAttachments: memo.md, plan.pdf'),
            ("text", 0, "Dear all,"),
            ("text", 0, "see below."),
            ("title", 2, "memo.md"),
            ("title", 3, "Memo"),
            ("text", 0, "Bring a coat."),
        ]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.doc", word([("Trips\r", 1, b""), ("one\r", 0, ITEM)])),
        ("a.ppt", powerpoint([(text_record(0, "Welcome"), b"")])),
        ("a.xls", excel([["Zone", 1.0]])),
        ("a.msg", outlook({0x0037: "Plans", 0x1000: "Dear all."}, {"a.md": b"# A"})),
    ],
)
def test_damage_is_told(name: str, data: bytes) -> None:
    for place in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        for source in (bytes(damaged), data[:place] or b"x"):
            assert is_read_or_refused(name, source)


def is_read_or_refused(name: str, data: bytes) -> bool:
    try:
        return bool(list(parse(Path(name), data).elements))
    except DocumentError as error:
        return str(error).startswith(name)
