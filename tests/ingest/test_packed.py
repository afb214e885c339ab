"""Archives and attachments: what is packed in a file, how deep and how much of it."""

from __future__ import annotations

import io
import struct
from email.message import EmailMessage
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from ingest.parse import Options, Parsed, parse
from rag.errors import DocumentError
from rag.settings import Ingest

MEMO = b"# Memo\n\nBring a coat.\n"
SMALL = Options(unpacked_bytes=1_000_000, archive_files=10, archive_depth=2)


def parsed(name: str, data: bytes, options: Options = SMALL) -> Parsed:
    return parse(Path(name), data, options=options)


def outline(document: Parsed) -> list[tuple[str, int, str]]:
    return [(element.kind, element.level, element.text) for element in document.elements]


def zipped(members: dict[str, bytes], method: int = ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_members_stand_under_their_paths_and_others_are_listed() -> None:
    members = {
        "docs/memo.md": MEMO,
        "docs/data.csv": b"Zone,Limit\nA,5\n",
        "tool.exe": b"MZ\0\0",
        "docs/.hidden.md": MEMO,
        "__MACOSX/docs/memo.md": MEMO,
        "broken.pdf": b"%PDF-1.7 nothing",
    }
    document = parsed("my-papers.zip", zipped(members))
    assert document.title == "My papers"
    *found, listed = outline(document)
    assert found == [
        ("title", 2, "docs/memo.md"),
        ("title", 3, "Memo"),
        ("text", 0, "Bring a coat."),
        ("title", 2, "docs/data.csv"),
        ("table", 0, "Zone: A; Limit: 5"),
        ("title", 2, "Files that were not read"),
    ]
    assert listed[2].split("\n")[0].startswith("- tool.exe: tool.exe: the extension '.exe' is unknown")
    assert listed[2].split("\n")[1].startswith("- broken.pdf: ")


def test_names_that_lead_elsewhere_are_only_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    document = parsed("a.zip", zipped({"../../up.md": MEMO, "/etc/top.md": MEMO, "C:\\x.md": MEMO}))
    assert [text for kind, level, text in outline(document) if level == 2] == [
        "../../up.md",
        "/etc/top.md",
        "C:\\x.md",
    ]
    assert list(tmp_path.rglob("*")) == []


def test_encrypted_members_are_named_as_not_read() -> None:
    data = bytearray(zipped({"secret.md": MEMO, "open.md": MEMO}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    assert outline(parsed("a.zip", bytes(data)))[-1] == ("list", 0, "- secret.md: it is encrypted")


def test_an_archive_without_a_document_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"^a\.zip: none of the 1 files in it can be read, the first: b\.exe: "):
        parsed("a.zip", zipped({"b.exe": b"MZ\0\0"}))


def test_archives_in_archives_are_read_to_a_depth() -> None:
    inner = zipped({"memo.md": MEMO})
    twice = zipped({"b.zip": inner, "memo.md": MEMO})
    thrice = zipped({"a.zip": twice, "memo.md": MEMO})
    assert ("title", 4, "memo.md") in outline(parsed("top.zip", twice))
    texts = [text for _, _, text in outline(parsed("top.zip", thrice))]
    assert any("it is packed too deep" in text for text in texts)


@pytest.mark.parametrize("name", ["text.txt", "inner.zip"])
def test_bombs_are_refused(name: str) -> None:
    bomb = zipped({"a.txt": b"word " * 300_000})
    content = bomb if name.endswith(".zip") else b"word " * 300_000
    with pytest.raises(
        DocumentError, match=r"unpacks to [\d,]+ bytes or more; expected at most ingest.max_unpacked_mb"
    ):
        list(parsed("a.zip", zipped({"memo.md": MEMO, name: content})).elements)


def test_members_that_overlap_are_read_once() -> None:
    data = bytearray(zipped({f"{number}.txt": b"word " * 50_000 for number in range(6)}))
    place = data.index(b"PK\x01\x02")
    while data[place : place + 4] == b"PK\x01\x02":
        data[place + 42 : place + 46] = struct.pack("<I", 0)  # all of them point to the first member's bytes
        place += 46 + len("0.txt")
    document = outline(parsed("a.zip", bytes(data), Options(unpacked_bytes=600_000)))
    assert document[-1][2].count("it is damaged") == 5


def test_a_stated_size_is_not_believed() -> None:
    data = bytearray(zipped({"a.txt": b"word " * 100_000, "memo.md": MEMO}))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(mark) + place
        data[start : start + 4] = struct.pack("<I", 10)
    document = outline(parsed("a.zip", bytes(data)))
    assert ("title", 3, "Memo") in document
    assert document[-1][2].startswith("- a.txt: it is damaged: ")


def test_methods_that_unpack_at_one_go_are_not_used() -> None:
    data = zipped({"a.txt": b"word " * 1000}, ZIP_BZIP2)
    with pytest.raises(DocumentError, match="it is packed by method 12"):
        parsed("a.zip", data)
    with pytest.raises(DocumentError, match="it is packed by method 12"):
        parsed("a.docx", data)


def test_too_many_members_are_refused() -> None:
    with pytest.raises(
        DocumentError, match=r"it holds 11 files or more; expected at most ingest.max_archive_files = 10"
    ):
        parsed("a.zip", zipped({f"{number}.md": MEMO for number in range(11)}))
    many = io.BytesIO()
    with ZipFile(many, "w") as archive:
        for number in range(300):
            archive.writestr(ZipInfo(f"{number}.md"), b"x")
    with pytest.raises(DocumentError, match="max_archive_files"):
        parsed("a.docx", many.getvalue())


def mail(subject: str = "Plans") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message.set_content("Dear all, see below.")
    return message


def test_attachments_stand_under_their_names() -> None:
    message = mail()
    message.add_attachment(MEMO, maintype="application", subtype="octet-stream", filename="memo.md")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="plan.pdf")
    message.add_attachment(zipped({"b.md": MEMO}), maintype="application", subtype="zip", filename="all.zip")
    message.add_attachment(mail("Older"))
    assert outline(parsed("a.eml", bytes(message))) == [
        ("title", 1, "Plans"),
        ("text", 0, "Attachments: memo.md, plan.pdf, all.zip"),
        ("text", 0, "Dear all, see below."),
        ("title", 2, "memo.md"),
        ("title", 3, "Memo"),
        ("text", 0, "Bring a coat."),
        ("title", 2, "all.zip"),
        ("title", 4, "b.md"),
        ("title", 5, "Memo"),
        ("text", 0, "Bring a coat."),
        ("title", 2, "message.eml"),
        ("title", 3, "Older"),
        ("text", 0, "Dear all, see below."),
    ]


def test_a_bomb_in_a_mail_is_refused() -> None:
    message = mail()
    bomb = zipped({"a.txt": b"word " * 300_000})
    message.add_attachment(bomb, maintype="application", subtype="zip", filename="all.zip")
    with pytest.raises(DocumentError, match="max_unpacked_mb"):
        parsed("a.eml", bytes(message))


def test_the_limits_are_settings() -> None:
    options = Ingest(max_unpacked_mb=7, max_archive_files=8, max_archive_depth=9)
    assert Options.from_settings(options) == Options(unpacked_bytes=7_000_000, archive_files=8, archive_depth=9)
    assert Options.from_settings(Ingest()) == Options()
