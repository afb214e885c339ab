"""Files made to do harm: each is to be refused by a limit with a name, or read without doing what it wants."""

from __future__ import annotations

import io
import os
import random
import socket
import stat
import zlib
from email.message import EmailMessage
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import docx
from docx.opc.constants import RELATIONSHIP_TYPE

MEMO = b"# Memo\n\nBring a coat.\n"
ODF = "urn:oasis:names:tc:opendocument:xmlns"
ODT = (
    f'<o:document-content xmlns:o="{ODF}:office:1.0" xmlns:t="{ODF}:text:1.0"><o:body><o:text>'
    "<t:p>A text. &file; &net;</t:p></o:text></o:body></o:document-content>"
)
# The limits of a run over such files, small enough to be met soon.
LIMITS = """
[ingest]
max_file_mb = 3
max_unpacked_mb = 5
max_archive_files = 60
max_archive_depth = 2
max_pages = 20
parse_timeout_s = 10
parse_memory_mb = 700
"""


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def bombs() -> dict[str, bytes]:
    """Small files that grow when they are read."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = zipped({f"{n}.txt": b"word " * 300_000 for n in range(4)})
    mail = EmailMessage()
    mail["Subject"] = "Pictures"
    mail.add_attachment(bomb, maintype="application", subtype="zip", filename="all.zip")
    many = EmailMessage()
    many["Subject"] = "Many"
    for number in range(61):
        many.add_attachment(MEMO, maintype="text", subtype="markdown", filename=f"{number}.md")
    return {
        "bomb-laughs.xml": f'<!DOCTYPE r [<!ENTITY l0 "haha">{laughs}]><r>&l9;</r>'.encode(),
        "bomb-quadratic.xml": f'<!DOCTYPE r [<!ENTITY a "{"x" * 50_000}">]><r>{"&a;" * 50_000}</r>'.encode(),
        "bomb-ratio.zip": bomb,
        "bomb-nested.zip": zipped({f"{n}.zip": bomb for n in range(5)}),
        "bomb-deep.zip": zipped({"a.zip": zipped({"b.zip": zipped({"c.zip": zipped({"memo.md": MEMO})})})}),
        "bomb-count.zip": zipped({f"{number}.md": MEMO for number in range(61)}),
        "bomb-sheet.xlsx": zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b" " * 6_000_000}),
        "bomb-inside.eml": bytes(mail),
        "bomb-count.eml": bytes(many),
        "bomb-in-one-another.eml": b"Subject: a\nContent-Type: message/rfc822\n\n" * 3_000,
    }


def pointing(canary: Path, url: str) -> dict[str, bytes]:
    """Files that ask for another file, or for an address on the net, to be read with them."""
    entity = f'<!DOCTYPE r [<!ENTITY file SYSTEM "{canary.as_uri()}"><!ENTITY net SYSTEM "{url}/net">]>'
    outer = f'<!DOCTYPE r SYSTEM "{url}/outer.dtd"><r>A text.</r>'
    parameter = f'<!DOCTYPE r [<!ENTITY % p SYSTEM "{canary.as_uri()}"> %p;]><r>A text.</r>'
    include = f'<r xmlns:x="http://www.w3.org/2001/XInclude">Text<x:include href="{canary}" parse="text"/></r>'
    page = (
        f'<html><head><base href="{url}/"><link rel="stylesheet" href="s.css"></head><body><p>A page.</p>'
        f'<img src="{url}/i.png"><iframe src="{canary.as_uri()}"></iframe><object data="{canary}"></object>'
    )
    directives = (
        f".. include:: {canary}\n\n.. raw:: html\n   :url: {url}/raw\n\n.. csv-table::\n   :file: {canary}\n\nText.\n"
    )
    return {
        "entity.xml": f"{entity}<r>A text. &file; &net;</r>".encode(),
        "entity-outer.xml": outer.encode(),
        "entity-parameter.xml": parameter.encode(),
        "include.xml": include.encode(),
        "page.html": page.encode(),
        "entity.docx": word(f"{entity}{{}}", "A text. &file; &net;"),
        "linked.docx": word("{}", "A text.", picture=f"{url}/picture.png"),
        "entity.odt": zipped(
            {
                "mimetype": b"application/vnd.oasis.opendocument.text",
                "content.xml": f"{entity}{ODT}".encode(),
            }
        ),
        "entity.epub": zipped(
            {
                "mimetype": b"application/epub+zip",
                "META-INF/container.xml": f"{entity}<c><rootfile full-path='&file;'/></c>".encode(),
                "a.xhtml": f"{entity}<html><body><p>&file; &net;</p></body></html>".encode(),
            }
        ),
        "include.rst": directives.encode(),
        "include.org": f"* Title\n#+INCLUDE: {canary}\n#+SETUPFILE: {url}/setup\nText.\n".encode(),
        "image.md": f"# A\n\n![a]({url}/a.png) [b]({canary.as_uri()}) <iframe src='{url}/f'></iframe> Text.".encode(),
        "template.rtf": rb"{\rtf1{\*\template " + f"{url}/t.dot".encode() + rb"}{\field{\*\fldinst INCLUDETEXT "
        + f'"{canary}"'.encode() + rb"}}Some text.\par}",
    }  # fmt: skip


def word(xml: str, text: str, *, picture: str = "") -> bytes:
    """A Word document of this text, its XML put into `xml`; `picture` is the address of one that lies elsewhere."""
    made = docx.Document()
    made.add_paragraph("TEXT")
    if picture:
        made.part.relate_to(picture, RELATIONSHIP_TYPE.IMAGE, is_external=True)
    buffer = io.BytesIO()
    made.save(buffer)
    with ZipFile(buffer) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    body = parts["word/document.xml"].decode().partition("?>")[2].replace("TEXT", text)
    return zipped({**parts, "word/document.xml": xml.format(body).encode()})


def archives_with_paths(canary: Path) -> dict[str, bytes]:
    """Archives and a mail with files that name places outside of them; one is a symbolic link."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        link = ZipInfo("link.md")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, str(canary))
        archive.writestr("memo.md", MEMO)
    names = ("../escaped.md", "../../../../../../tmp/escaped.md", str(canary), "C:\\escaped.md", "a/../../escaped.md")
    mail = EmailMessage()
    mail["Subject"] = "Names"
    for name in names:
        mail.add_attachment(MEMO, maintype="text", subtype="markdown", filename=name)
    traversal = zipped(dict.fromkeys(names, MEMO))
    return {"traversal.zip": traversal, "traversal.eml": bytes(mail), "link.zip": buffer.getvalue()}


def lying() -> dict[str, bytes]:
    """Files that are not what their name says, and files without anything in them."""
    noise = random.Random(3).randbytes(20_000)  # noqa: S311
    return {
        "program.pdf": b"MZ\x90\0" + noise,
        "picture.docx": b"\x89PNG\r\n\x1a\n" + noise,
        "program.xlsx": b"\x7fELF" + noise,
        "noise.zip": b"PK\x03\x04" + noise,
        "noise.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise,
        "noise.msg": noise,
        "noise.epub": noise,
        "empty.md": b"",
        "empty.pdf": b"",
        "blank.txt": b" \n\t" * 1_000,
        "zeros.txt": bytes(1_000_000),
    }


def endless() -> dict[str, bytes]:
    """Files that lead a parser deep, round in circles, or into work that grows with the square of their size."""
    return {
        "deep.html": b"<div>" * 100_000 + b"x",
        "deep.xml": b"<a>" * 100_000,
        "deep.json": b"[" * 500_000,
        "deep.md": b">" * 100_000 + b"x",
        "deep.rtf": b"{\\rtf1" + b"{" * 300_000 + b"x",
        "deep.rst": b"\n\n".join(b" " * depth + b"x" for depth in range(600)),
        "loop.pdf": pdf(b"<</Type/Pages/Count 1/Kids[2 0 R]>>"),
        "pages.pdf": pdf(b"<</Type/Pages/Count 21/Kids[" + b"3 0 R " * 21 + b"]>>"),
        "form-in-itself.pdf": pdf(b"<</Type/Pages/Count 1/Kids[3 0 R]>>", b"/X Do", forms=True),
        "bait.rst": b"0-" * 20_000 + b" `a",
        "bait.html": b"<!--" * 100_000 + b"<table>" * 2_000,
        "bait.md": b"[" * 3_000 + b"*_" * 3_000 + b"`" * 3_001,
        "bait.org": b"[[" * 100_000 + b"*/_" * 50_000,
        "bait.eml": b"Subject: a\nTo: " + b"<a@b,(" * 9_000 + b"\n\nText.\n",
        "one-line.csv": b"a,b\n" + b'"' + b"word," * 100_000 + b'"',
        "half-a-pair.json": b'{"a": "\\ud800 x", "\\udfff": 1}',
        "half-a-pair.ndjson": b'{"a": "\\ud800 x"}\n',
        "one-row.csv": b",".join(b"%d" % number for number in range(50_000)),
        "one-line.json": b'{"a": "' + b"word " * 50_000 + b'"}',
        "one-word.txt": b"x" * 100_000,
    }


def unpacking_pdf() -> bytes:
    """A small PDF whose page takes hundreds of times its size."""
    return pdf(b"<</Type/Pages/Count 1/Kids[3 0 R]>>", b"q " * 30_000_000)


def pdf(pages: bytes, content: bytes = b"", *, forms: bool = False) -> bytes:
    """A PDF with this page tree as object 2, a page as object 3, and its content."""
    packed = zlib.compress(content, 9)
    stream = b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream"
    itself = b"<</XObject<</X 5 0 R>>>>"
    form = b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources%s/Length 5>>stream\n/X Do\nendstream" % itself
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources%s>>" % itself
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        pages,
        page,
        stream % (len(packed), packed),
        form if forms else b"null",
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, content) for number, content in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R/Size 6>>\n%%EOF"


# Names that would write into the terminal, break a line, or are no text; a bell and the title of the window among them.
NAMES = (
    b"\x1b]0;owned\x07title.md",
    b"\x1b[2Jcleared.md",
    b"two\nlines.md",
    b"back\rward.md",
    b"bytes-\xff\xfe.md",
    "turned-\u202egpj.md".encode(),
    "c1-\u009b31m.md".encode(),
    b"[red]markup[bold].md",
    b"--help.md",
    b"a" * 240 + b".md",
)


def special_files(folder: Path, outside: Path, canary: Path) -> None:
    """What is no plain file: links to a file, to a folder and round in a circle, a pipe, a socket, a device."""
    (folder / "link.md").symlink_to(canary)
    (folder / "link-to-folder").symlink_to(outside, target_is_directory=True)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "self.md").symlink_to("self.md")
    os.mkfifo(folder / "pipe.md")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket.md"))
    try:
        os.mknod(folder / "zero.md", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:  # only root makes devices
        return
