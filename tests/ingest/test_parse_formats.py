"""The formats of other programs through the one door: real files, made here."""

from __future__ import annotations

import io
import struct
from email.message import EmailMessage
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import docx
import pptx
import pytest
from docx.oxml import parse_xml
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingest.parse import Parsed, parse
from rag.errors import DocumentError

LIMIT_LINES = "Zone: A; Limit: EUR 125\nZone: B; Limit: EUR 155"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{path}:1.0"'
    for name, path in {
        "office": "office",
        "text": "text",
        "table": "table",
        "draw": "drawing",
        "presentation": "presentation",
    }.items()
)
ODF_TABLE = (
    "<table:table table:name='Limits'><table:table-row><table:table-cell><text:p>Zone</text:p></table:table-cell>"
    "<table:table-cell><text:p>Limit</text:p></table:table-cell></table:table-row>"
    "<table:table-row><table:table-cell><text:p>A</text:p></table:table-cell>"
    "<table:table-cell><text:p>EUR 125</text:p></table:table-cell></table:table-row>"
    "<table:table-row><table:table-cell><text:p>B</text:p></table:table-cell>"
    "<table:table-cell><text:p>EUR 155</text:p></table:table-cell></table:table-row>"
    "<table:table-row table:number-rows-repeated='1048573'>"
    "<table:table-cell table:number-columns-repeated='16384'/></table:table-row></table:table>"
)


def parsed(name: str, data: bytes | str) -> Parsed:
    return parse(Path(name), data.encode() if isinstance(data, str) else data)


def outline(document: Parsed) -> list[tuple[str, int, str]]:
    return [(element.kind, element.level, element.text) for element in document.elements]


def paged(document: Parsed) -> list[tuple[int | None, str, str]]:
    return [(element.page, element.kind, element.text) for element in document.elements]


def zipped(parts: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def opendocument(kind: str, body: str, parts: dict[str, str | bytes] | None = None) -> bytes:
    content = f"<office:document-content {ODF}><office:body>{body}</office:body></office:document-content>"
    mimetype = f"application/vnd.oasis.opendocument.{kind}"
    return zipped({"mimetype": mimetype, "content.xml": content, **(parts or {})})


def test_odt() -> None:
    meta = "<m xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>The plan</dc:title></m>"
    body = (
        "<office:text><text:tracked-changes><text:p>gone</text:p></text:tracked-changes>"
        "<text:h text:outline-level='2'>Trips</text:h>"
        "<text:p>Two<text:s text:c='2'/>words<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>a note</text:p></text:note-body></text:note>."
        "<draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame></text:p>"
        "<text:list><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>below</text:p>"
        f"</text:list-item></text:list></text:list-item></text:list>{ODF_TABLE}</office:text>"
    )
    document = parsed("a.odt", opendocument("text", body, {"meta.xml": meta}))
    assert document.title == "The plan"
    assert outline(document) == [
        ("title", 2, "Trips"),
        ("text", 0, "Two  words (a note)."),
        ("text", 0, "In a box"),
        ("list", 0, "- one\n  - below"),
        ("table", 0, LIMIT_LINES),
    ]


def test_odp() -> None:
    title = (
        "<draw:frame presentation:class='title'><draw:text-box><text:p>Numbers</text:p></draw:text-box></draw:frame>"
    )
    text = "<draw:frame><draw:text-box><text:p>Desk</text:p></draw:text-box></draw:frame>"
    slides = f"<draw:page>{text}{title}</draw:page><draw:page>{text}</draw:page>"
    document = parsed("a.odp", opendocument("presentation", f"<office:presentation>{slides}</office:presentation>"))
    assert paged(document) == [(1, "title", "Numbers"), (1, "text", "Desk"), (2, "text", "Desk")]
    assert document.title == "Numbers"


def test_ods() -> None:
    body = f"<office:spreadsheet>{ODF_TABLE}</office:spreadsheet>"
    assert paged(parsed("a.ods", opendocument("spreadsheet", body))) == [
        (1, "title", "Limits"),
        (1, "table", LIMIT_LINES),
    ]


def test_epub_is_read_in_the_order_of_its_spine() -> None:
    container = "<container><rootfiles><rootfile full-path='b/book.opf'/></rootfiles></container>"
    page = "media-type='application/xhtml+xml'"
    book = (
        "<package><metadata xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>Sea tales</dc:title></metadata>"
        f"<manifest><item id='two' href='2.xhtml' {page}/><item id='one' href='../1.xhtml' {page}/></manifest>"
        "<spine><itemref idref='one'/><itemref idref='two'/></spine></package>"
    )
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": container,
        "b/book.opf": book,
        "b/2.xhtml": "<html><body><h2>Second</h2><p>It ends well.</p></body></html>",
        "1.xhtml": "<html><body><h2>First</h2><p>It begins here.</p></body></html>",
    }
    document = parsed("a.epub", zipped(parts))
    assert document.title == "Sea tales"
    assert paged(document) == [
        (1, "title", "First"),
        (1, "text", "It begins here."),
        (2, "title", "Second"),
        (2, "text", "It ends well."),
    ]


def test_rtf() -> None:
    source = (
        r"{\rtf1\ansi\ansicpg1252\uc1{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial;}}"
        r"{\stylesheet{\s1\outlinelevel0 heading 1;}{\s2 Heading 2;}}{\info{\title The plan}}{\header top}"
        r"\pard\s1 Trips\par\pard\s2 Hotels\par\pard Gr\'f6\'dfe \u8364?5 {\*\hidden no}{\v no}\emdash\par"
        r"\pard {\f1 \'e4\'e0}\par\pard{\listtext 1.\tab}one\par\pard{\listtext 2.\tab}two\par"
        r"\trowd\pard\intbl Zone\cell Limit\cell\row\pard\intbl A\cell EUR 125\cell\row"
        r"\pard\intbl B\cell EUR 155\cell\row\pard\bin3 }}}The end.}"
    )
    document = parsed("a.rtf", source)
    assert document.title == "The plan"
    assert outline(document) == [
        ("title", 1, "Trips"),
        ("title", 2, "Hotels"),
        ("text", 0, "Größe €5 —"),
        ("text", 0, "да"),
        ("list", 0, "- one\n- two"),
        ("table", 0, LIMIT_LINES),
        ("text", 0, "The end."),
    ]


def test_rst_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret words")
    source = (
        "Trips\n=====\n\nWho *travels* by ``rail``.\n\nHotels\n------\n\n1. one\n2. two\n\n   - below\n\n"
        "==== =======\nZone Limit\n==== =======\nA    EUR 125\nB    EUR 155\n==== =======\n\n::\n\n   code  here\n\n"
        f".. include:: {tmp_path}/secret.txt\n\n.. csv-table::\n   :file: {tmp_path}/secret.txt\n\n"
        ".. raw:: html\n\n   <b>raw</b>\n\n.. note:: Mind the gap.\n"
    )
    assert outline(parsed("a.rst", source)) == [
        ("title", 1, "Trips"),
        ("text", 0, "Who travels by rail."),
        ("title", 2, "Hotels"),
        ("list", 0, "1. one\n2. two\n  - below"),
        ("table", 0, LIMIT_LINES),
        ("code", 0, "code  here"),
        ("text", 0, "Mind the gap."),
    ]


def test_a_word_that_would_take_docutils_long_makes_rst_text() -> None:
    long = "0-" * 10_000
    assert outline(parsed("a.rst", f"A\n=\n\nText {long}\n"))[-1] == ("text", 0, f"Text {long}")


def test_org() -> None:
    source = (
        "#+TITLE: The plan\n# remark\n* TODO [#A] Trips  :work:\n:PROPERTIES:\n:ID: 1\n:END:\n"
        "See [[http://x][the page]].\n** Hotels\n- one\n- two\n\n"
        "| Zone | Limit |\n|------+-------|\n| A | EUR 125 |\n| B | EUR 155 |\n"
        "#+BEGIN_SRC sh\n  code  here\n#+END_SRC\n"
    )
    document = parsed("a.org", source)
    assert document.title == "The plan"
    assert outline(document) == [
        ("title", 1, "Trips"),
        ("text", 0, "See the page."),
        ("title", 2, "Hotels"),
        ("list", 0, "- one\n- two"),
        ("table", 0, LIMIT_LINES),
        ("code", 0, "  code  here"),
    ]


def test_json() -> None:
    source = (
        '{"title": "Rates", "since": 2026, "open": true, "none": null, "tags": ["a", "b"], "rate": 1.10,'
        ' "zones": [{"Zone": "A", "Limit": "EUR 125"}, {"Zone": "B", "Limit": "EUR 155"}],'
        ' "desk": {"phone": {"day": "12", "nights": [{"x": [1]}]}}}'
    )
    document = parsed("a.json", source)
    assert document.title == "Rates"
    assert outline(document) == [
        ("text", 0, "title: Rates\nsince: 2026\nopen: true\nrate: 1.10"),
        ("text", 0, "tags: a, b"),
        ("text", 0, "zones:"),
        ("table", 0, LIMIT_LINES),
        ("text", 0, "desk.phone.day: 12\ndesk.phone.nights[0].x: 1"),
    ]


def test_ndjson() -> None:
    source = '{"Zone": "A", "Limit": "EUR 125"}\n{"Zone": "B", "Limit": "EUR 155"}\n\n{"a": {"b": [1, 2]}}\n'
    for name in ("a.ndjson", "a.jsonl", "a.json"):
        assert outline(parsed(name, source)) == [("table", 0, LIMIT_LINES), ("text", 0, "a.b: 1, 2")]


def test_xml_data_and_articles() -> None:
    rows = "".join(
        f"<zone id='{name}'><limit>{limit}</limit></zone>" for name, limit in [("A", "EUR 125"), ("B", "EUR 155")]
    )
    assert outline(parsed("a.xml", f"<zones>{rows}</zones>"))[-1] == (
        "table",
        0,
        "id: A; limit: EUR 125\nid: B; limit: EUR 155",
    )
    article = (
        "<article><front><article-meta><title-group><article-title>On <i>ducks</i></article-title></title-group>"
        "<abstract><p>In short.</p></abstract></article-meta></front><body><sec><title>Methods</title><p>We counted."
        "<list><list-item><p>one</p></list-item></list></p><table-wrap><caption><p>Limits</p></caption><table>"
        "<tr><th>Zone</th><th>Limit</th></tr><tr><td>A</td><td>EUR 125</td></tr><tr><td>B</td><td>EUR 155</td></tr>"
        "</table></table-wrap></sec></body></article>"
    )
    document = parsed("a.nxml", article)
    assert document.title == "On ducks"
    assert outline(document) == [
        ("title", 1, "On ducks"),
        ("title", 2, "Abstract"),
        ("text", 0, "In short."),
        ("title", 2, "Methods"),
        ("text", 0, "We counted."),
        ("list", 0, "- one"),
        ("text", 0, "Limits"),
        ("table", 0, LIMIT_LINES),
    ]


def test_xml_expands_nothing_and_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret words")
    place = f"file://{tmp_path}/secret.txt"
    source = f'<!DOCTYPE r [<!ENTITY a SYSTEM "{place}"><!ENTITY b "boom">]><r><p>See &a;&b; here</p></r>'
    assert outline(parsed("a.xml", source)) == [("text", 0, "See here")]


def test_xml_keeps_text_that_no_element_holds() -> None:
    assert outline(parsed("a.xml", "<note>Bring <b>a</b> coat.</note>")) == [("text", 0, "Bring a coat.")]


def test_tsv() -> None:
    assert outline(parsed("a.tsv", "Zone\tLimit, all\nA\tEUR 125\n")) == [("table", 0, "Zone: A; Limit, all: EUR 125")]


def test_word_keeps_what_its_library_passes_over() -> None:
    file = docx.Document()
    body = file.element.body
    run = "<w:r><w:t>{}</w:t></w:r>"
    control = f"<w:sdt {W}><w:sdtPr/><w:sdtContent><w:p>{run.format('In a control')}</w:p></w:sdtContent></w:sdt>"
    box = f"<w:pict><w:txbxContent><w:p>{run.format('In a box')}</w:p></w:txbxContent></w:pict>"
    boxed = f"<w:p {W}>{run.format('Beside')}<w:r>{box}</w:r><w:ins>{run.format(' inserted')}</w:ins></w:p>"
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    fraction = "<m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b+1</m:t></m:r></m:den></m:f>"
    formula = f"<w:p {W} xmlns:m='{math}'>{run.format('With ')}<m:oMath>{fraction}</m:oMath></w:p>"
    for number, source in enumerate((control, boxed, formula)):
        body.insert(number, parse_xml(source))
    buffer = io.BytesIO()
    file.save(buffer)
    assert [text for _, _, text in outline(parsed("a.docx", buffer.getvalue()))] == [
        "In a control",
        "Beside inserted",
        "In a box",
        "With a/(b+1)",
    ]


def test_presentations_keep_merged_cells_and_charts() -> None:
    file = pptx.Presentation()
    slide = file.slides.add_slide(file.slide_layouts[5])
    slide.shapes.title.text = "Numbers"
    table = slide.shapes.add_table(3, 3, Inches(1), Inches(3), Inches(4), Inches(1)).table
    for row, texts in enumerate((("Zone", "Limit", "Since"), ("A", "EUR 125", "2026"), ("", "EUR 155", "2027"))):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    data = CategoryChartData()
    data.categories = ["North", "South"]
    data.add_series("Ducks", (3, 4.5))
    slide.shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, Inches(1), Inches(5), Inches(3), Inches(1), data)
    buffer = io.BytesIO()
    file.save(buffer)
    tables = [text for kind, _, text in outline(parsed("a.pptx", buffer.getvalue())) if kind == "table"]
    assert tables == [
        "Zone: A; Limit: EUR 125; Since: 2026\nZone: A; Limit: EUR 155; Since: 2027",
        "Category: North; Ducks: 3\nCategory: South; Ducks: 4.5",
    ]


def test_html_keeps_numbers_of_steps_and_folded_parts() -> None:
    source = (
        "<ol start=3><li>Ask.</li><li><p>Wait.</p></li></ol><details><summary>More</summary><p>Text here.</p></details>"
        "<p>Was <del>ten</del> five.</p><figure><figcaption>A boat on the sea.</figcaption></figure>"
    )
    assert [text for _, _, text in outline(parsed("a.html", source))] == [
        "3. Ask.\n4. Wait.",
        "More",
        "Text here.",
        "Was ten five.",
        "A boat on the sea.",
    ]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Все люди рождаются свободными и равными."),
        ("koi8-r", "Все люди рождаются свободными и равными."),
        ("cp1253", "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι."),
        ("cp1255", "כל בני אדם נולדו בני חורין ושווים בערכם ובזכויותיהם"),
        ("cp932", "すべての人間は、生まれながらにして自由であり、かつ、平等である。"),
        ("gb18030", "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。"),
        ("utf-16-le", "Text without a mark: Größe."),
        ("utf-16-be", "Text without a mark: Größe."),
        ("cp1252", "Où êtes-vous né, à Orléans ou à Besançon ? Ça dépend."),
    ],
)
def test_text_in_other_encodings(encoding: str, text: str) -> None:
    assert outline(parsed("a.txt", f"Memo:\n\n{text}\n".encode(encoding)))[-1][2] == text


def test_content_goes_before_a_wrong_extension() -> None:
    odt = opendocument("text", "<office:text><text:p>Hello there.</text:p></office:text>")
    file = docx.Document()
    file.add_paragraph("Hello there.")
    word = io.BytesIO()
    file.save(word)
    page = b"<!DOCTYPE html><html><body><p>Hello there.</p></body></html>"
    for data in (odt, word.getvalue(), page, rb"{\rtf1 Hello there.}"):
        for name in ("a.txt", "a.xlsx", "a.xyz", "a"):
            assert outline(parsed(name, data)) == [("text", 0, "Hello there.")]


def test_a_mail_saved_as_utf_16() -> None:
    mail = EmailMessage()
    mail["Subject"] = "News"
    mail.set_content("Hello there.")
    assert outline(parsed("a.eml", mail.as_string().encode("utf-16-le")))[-1] == ("text", 0, "Hello there.")


def test_old_office_files_that_are_no_such_files_say_so() -> None:
    for extension in (".doc", ".ppt", ".xls", ".msg"):
        with pytest.raises(DocumentError, match=f"^a{extension}.*; expected .*; "):
            parsed(f"a{extension}", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + struct.pack("<64I", *range(64)) * 8)
