"""Damaged files of every format: elements or a DocumentError, soon, whatever bytes were lost or changed."""

from __future__ import annotations

import io
import json
import os
import struct
import tarfile
import warnings
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.parse import parse
from rag.errors import DocumentError

ODF = 'xmlns:{0}="urn:oasis:names:tc:opendocument:xmlns:{0}:1.0"'
CONTENT = (
    f"<office:document-content {' '.join(ODF.format(name) for name in ('office', 'text', 'table'))}><office:body>"
    "<office:text><text:h text:outline-level='2'>Trips</text:h><text:p>Two<text:s text:c='2'/>words</text:p>"
    "<text:list><text:list-item><text:p>one</text:p></text:list-item></text:list><table:table><table:table-row>"
    "<table:table-cell table:number-columns-repeated='3'><text:p>x</text:p></table:table-cell>"
    "<table:covered-table-cell/></table:table-row></table:table></office:text></office:body></office:document-content>"
)
BOOK = (
    "<package><metadata><title>Tales</title></metadata><manifest><item id='a' href='a.xhtml'"
    " media-type='application/xhtml+xml'/></manifest><spine><itemref idref='a'/></spine></package>"
)


def zipped(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def odt(content: bytes) -> bytes:
    return zipped({"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": content})


def epub(book: bytes) -> bytes:
    container = b"<container><rootfile full-path='book.opf'/></container>"
    page = b"<html><body><h1>One</h1><p>It begins.</p></body></html>"
    parts = {"META-INF/container.xml": container, "book.opf": book, "a.xhtml": page}
    return zipped({"mimetype": b"application/epub+zip", **parts})


def mail() -> bytes:
    message = EmailMessage()
    message["Subject"] = "Plans"
    message.set_content("Dear all.")
    message.add_attachment(b"# Memo", maintype="text", subtype="markdown", filename="memo.md")
    return bytes(message)


# A valid file of each format, and what packs it after it was damaged: checksums would catch the damage otherwise.
VALID: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    ".odt": (CONTENT.encode(), odt),
    ".epub": (BOOK.encode(), epub),
    ".zip": (zipped({"a.md": b"# Memo\n\nText.", "b.zip": zipped({"c.txt": b"Text."})}), bytes),
    ".eml": (mail(), bytes),
    ".rtf": (rb"{\rtf1\ansi{\fonttbl{\f0\fcharset204 A;}}\pard\s1 Gr\'f6\u8364?{\f0 x}\bin2 ab\par\cell\row}", bytes),
    ".rst": (b"A\n=\n\n* x *y*\n\n== ==\na  b\n== ==\n1  2\n== ==\n\n.. note:: |z| `w`_\n", bytes),
    ".org": (b"* A :t:\n- x\n| a | b |\n|---+---|\n| 1 | 2 |\n#+BEGIN_SRC\nc\n#+END_SRC\n[[a][b]]\n", bytes),
    ".json": (json.dumps({"a": [{"b": 1, "c": None}], "d": {"e": [1.5, "x"]}}).encode(), bytes),
    ".ndjson": (b'{"a": 1}\n{"a": 2}\n{"b": {"c": [1]}}\n', bytes),
    ".xml": (b"<r a='1'><sec><title>T</title><p>x<b>y</b></p><table><tr><td>1</td></tr></table></sec></r>", bytes),
    ".tsv": (b'a\tb\n1\t"x\n y"\n', bytes),
    ".txt": ("Überschrift\n\nтекст\n".encode("cp1251", errors="ignore"), bytes),
    ".html": (
        b"<ol start=2><li>a</ol><details><summary>b</summary>c</details><table><tr><td rowspan=2>d</table>",
        bytes,
    ),
}

edits = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12)


@settings(deadline=5_000, max_examples=300)
@given(extension=st.sampled_from(sorted(VALID)), keep=st.floats(0.05, 1), edits=edits)
def test_damage_is_told(extension: str, keep: float, edits: list[tuple[float, int]]) -> None:
    source, pack = VALID[extension]
    data = bytearray(source[: max(1, int(len(source) * keep))])
    for place, value in edits:
        data[int(place * len(data))] = value
    read(extension, pack(bytes(data)))


def read(extension: str, data: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, about damaged files
        try:
            # What is no UTF-8 can't be stored, nor told.
            return all(element.text.strip().encode() for element in parse(Path(f"a{extension}"), data).elements)
        except DocumentError as error:
            return bool(str(error).encode())


@pytest.mark.parametrize("extension", sorted(VALID))
def test_the_files_to_be_damaged_are_intact(extension: str) -> None:
    source, pack = VALID[extension]
    assert list(parse(Path(f"a{extension}"), pack(source)).elements)


@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
def test_half_a_surrogate_pair_is_made_text(name: str) -> None:
    (element,) = parse(Path(name), b'{"a": "\\ud800 x"}\n').elements
    assert element.text == "a: \\ud800 x"


@pytest.mark.parametrize("data", [b"", b"Text."])
def test_names_that_are_no_text_are_made_text(data: bytes) -> None:
    try:
        told = parse(Path("name-\udcff.txt"), data).title
    except DocumentError as error:
        told = str(error)
    assert "ame-\\udcff" in told or "ame \\udcff" in told


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.rst", b"\n\n".join(b" " * depth + b"x" for depth in range(600))),
        ("a.json", b"[" * 100_000),
        ("a.eml", b"Subject: a\nContent-Type: message/rfc822\n\n" * 3_000),
        ("a.md", b">" * 100_000 + b"x"),
        ("a.xml", b"<a>" * 100_000),
    ],
)
def test_deep_nesting_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(DocumentError):
        list(parse(Path(name), data).elements)


def test_repeats_of_a_sheet_are_bounded() -> None:
    rows = (
        "<table:table-row table:number-rows-repeated='1048576'><table:table-cell table:number-columns-repeated='16384'>"
    )
    many = CONTENT.replace("<table:table-row>", f"{rows}<text:p>y</text:p></table:table-cell></table:table-row>" * 3, 1)
    many = many.replace("<table:covered-table-cell/></table:table-row>", "", 1)
    texts = [element.text for element in parse(Path("a.odt"), odt(many.encode())).elements]
    assert sum(map(len, texts)) < 1_000_000


def test_damage_further_down_is_told_while_the_elements_are_taken() -> None:
    lines = b"".join(b'{"a": {"b": %d}}\n' % number for number in range(1_000))
    elements = iter(parse(Path("a.ndjson"), lines + b"{nothing\n").elements)
    assert next(elements).text == "a.b: 0"
    with pytest.raises(DocumentError, match=r"^a\.ndjson: line 1001: it is no JSON"):
        list(elements)


@pytest.mark.parametrize(
    ("name", "head", "line"), [("a.csv", b"Zone,Limit\n", b"A,5\n"), ("a.txt", b"", b"One line.\n")]
)
def test_long_files_become_many_small_elements(name: str, head: bytes, line: bytes) -> None:
    parsed = parse(Path(name), head + line * 100_000)
    sizes = [len(element.text) for element in parsed.elements]
    assert len(sizes) > 100
    assert max(sizes) < 100_000
    if name == "a.csv":
        assert {element.text.split("\n")[0] for element in parse(Path(name), head + line * 1000).elements} == {
            "Zone: A; Limit: 5"
        }


def test_a_property_count_of_an_old_office_file_is_not_believed() -> None:
    """Found by damaging real files: olefile's reader of properties counts to any number that the file states."""
    from ingest.parse.compound import stated_title

    stream = bytes(44) + struct.pack("<I", 48) + struct.pack("<II", 0, 0xFFFFFFFF) + bytes(2_000)

    class Container:
        def exists(self, name: str) -> bool:
            return True

        def openstream(self, name: str) -> io.BytesIO:
            return io.BytesIO(stream)

    assert stated_title(Container()) == ""


OLD = (".doc", ".ppt", ".xls", ".msg")
PACK = Path(os.environ.get("PLUMB_TEST_DATA", "unset"), "5_docs_formats.tar.xz")


@pytest.mark.skipif(not PACK.is_file(), reason="PLUMB_TEST_DATA names no folder with the pack of real files")
def test_real_files_of_old_programs_intact_and_damaged() -> None:
    with tarfile.open(PACK) as pack:
        files = {
            member.name: pack.extractfile(member).read()  # type: ignore[union-attr]
            for member in pack
            if member.name.endswith(OLD) and "encrypted" not in member.name
        }
    assert len(files) > 15
    for name, data in files.items():
        extension = Path(name).suffix
        assert list(parse(Path(name), data).elements), name
        for part in range(1, 20):
            damaged = bytearray(data)
            damaged[len(data) * part // 20] ^= 0xFF
            read(extension, data[: len(data) * part // 20])
            read(extension, bytes(damaged))
