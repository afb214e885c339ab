"""Every format through the one door: real files, made here with the programs' own libraries."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import docx
import openpyxl
import pptx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pptx.util import Inches
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen import canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table, TableStyle

from ingest.parse import SUPPORTED, Element, Parsed, parse
from rag.errors import DocumentError

LIMITS = [["Zone", "Limit"], ["A", "EUR 125"], ["B", "EUR 155"]]
LIMIT_LINES = "Zone: A; Limit: EUR 125\nZone: B; Limit: EUR 155"


def parsed(name: str, data: bytes | str) -> Parsed:
    document = parse(Path(name), data.encode() if isinstance(data, str) else data)
    return replace(document, elements=tuple(document.elements))


def outline(document: Parsed) -> list[tuple[str, int, str]]:
    return [(element.kind, element.level, element.text) for element in document.elements]


def test_markdown() -> None:
    source = (
        "# Annual leave\n\nFull-time staff have **28 days**\nof `paid` leave, see [here](x.md).\n\n## Asking\n\n"
        "1. Ask.\n2. Wait:\n   - a day\n   - two\n\n| Zone | Limit |\n|---|---|\n| A | EUR 125 |\n| B | EUR 155 |\n\n"
        "```\ncode  here\n```\n\n<b>bold</b> &amp; plain\n\n<div>\nblock &gt; text\n</div>\n"
    )
    document = parsed("leave.md", source)
    assert document.title == "Annual leave"
    assert outline(document) == [
        ("title", 1, "Annual leave"),
        ("text", 0, "Full-time staff have 28 days of paid leave, see here."),
        ("title", 2, "Asking"),
        ("list", 0, "1. Ask.\n2. Wait:\n  - a day\n  - two"),
        ("table", 0, LIMIT_LINES),
        ("code", 0, "code  here"),
        ("text", 0, "bold & plain"),
        ("text", 0, "block > text"),
    ]


def test_markdown_front_matter_names_the_document() -> None:
    document = parsed("a.md", "---\ntitle: 'The plan'\nowner: Lena\n---\n# Heading\n\nText.\n")
    assert document.title == "The plan"
    assert outline(document)[0] == ("text", 0, "title: 'The plan'\nowner: Lena")


def test_text_unwraps_paragraphs_and_finds_headings_and_lists() -> None:
    source = (
        "LAB RULES\nOwner: Callum\n\n1. ENTERING\n\nOnly people with a signed briefing that is not older than\n"
        "twelve months may work in the laboratory.\n\nBring:\n- glasses\n- a coat that has been washed by the company "
        "and\n  is dry\n\nExtras\n======\nNothing.\n"
    )
    document = parsed("lab.txt", source)
    assert document.title == "LAB RULES"
    assert outline(document) == [
        ("title", 1, "LAB RULES"),
        ("text", 0, "Owner: Callum"),
        ("title", 2, "1. ENTERING"),
        (
            "text",
            0,
            "Only people with a signed briefing that is not older than twelve months may work in the laboratory.",
        ),
        ("list", 0, "Bring:\n- glasses\n- a coat that has been washed by the company and is dry"),
        ("title", 1, "Extras"),
        ("text", 0, "Nothing."),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1"])
def test_text_encodings(encoding: str) -> None:
    assert parsed("a.txt", "Größe: fünf Meter.\r\n".encode(encoding)).elements[0].text == "Größe: fünf Meter."


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(delimiter: str) -> None:
    lines = [delimiter.join(row) for row in LIMITS]
    document = parsed("travel_limits-2026.csv", "\n".join(lines))
    assert document.title == "Travel limits 2026"
    assert outline(document) == [("table", 0, LIMIT_LINES)]


def test_csv_delimiters_inside_quotes_do_not_count() -> None:
    source = '"Zone, as on the map, page 3";Limit\n"A, B";EUR 125\n'
    assert parsed("a.csv", source).elements[0].text == "Zone, as on the map, page 3: A, B; Limit: EUR 125"


def test_a_caption_above_the_header_is_no_header() -> None:
    source = "Stanley Cups,,\nTeam,Location,Cups\nMaple Leafs,TOR,13\n"
    assert parsed("a.csv", source).elements[0].text == "Stanley Cups\nTeam: Maple Leafs; Location: TOR; Cups: 13"


def test_csv_without_a_header_keeps_its_values() -> None:
    assert parsed("a.csv", "2026-01-01,12\n2026-01-02,\n").elements[0].text == "2026-01-01; 12\n2026-01-02"


def test_html() -> None:
    source = (
        "<html><head><title>Equipment</title><script>var x</script></head><body>"
        "<h1>Equipment</h1><p>What you <b>get</b>.</p>"
        "<h3>Limits</h3><ul><li>one</li><li>two</li></ul><table><caption>Per night</caption>"
        "<tr><th>Zone</th><th>Limit</th></tr><tr><td>A</td><td>EUR 125</td></tr>"
        "<tr><td>B</td><td>EUR 155</td></tr></table><pre>a  b</pre></body></html>"
    )
    document = parsed("e.html", source)
    assert document.title == "Equipment"
    assert outline(document) == [
        ("title", 1, "Equipment"),
        ("text", 0, "What you get."),
        ("title", 3, "Limits"),
        ("list", 0, "- one\n- two"),
        ("text", 0, "Per night"),
        ("table", 0, LIMIT_LINES),
        ("code", 0, "a  b"),
    ]


def test_html_tables_with_merged_cells() -> None:
    source = (
        "<table><thead><tr><th rowspan=2>Zone</th><th colspan=2>Limit</th></tr>"
        "<tr><th>Summer</th><th>Winter</th></tr></thead>"
        "<tbody><tr><td>A</td><td colspan='2'>EUR 5</td></tr></tbody></table>"
    )
    assert parsed("e.htm", source).elements[0].text == "Zone: A; Limit Summer: EUR 5; Limit Winter: EUR 5"


def test_docx() -> None:
    file = docx.Document()
    file.core_properties.title = "Travel policy"
    file.add_heading("Travel", 1)
    file.add_paragraph("Short")
    file.add_heading("Hotels", 2)
    file.add_paragraph("Mini bar", style="List Bullet")
    file.add_paragraph("Films", style="List Bullet")
    table = file.add_table(rows=3, cols=2)
    for cells, row in zip((row.cells for row in table.rows), LIMITS, strict=True):
        for cell, value in zip(cells, row, strict=True):
            cell.text = value
    document = parsed("t.docx", saved(file))
    assert document.title == "Travel policy"
    assert outline(document) == [
        ("title", 1, "Travel"),
        ("text", 0, "Short"),
        ("title", 2, "Hotels"),
        ("list", 0, "- Mini bar\n- Films"),
        ("table", 0, LIMIT_LINES),
    ]


def test_pptx() -> None:
    file = pptx.Presentation()
    for number, title in enumerate(("Welcome day", "Numbers to remember")):
        slide = file.slides.add_slide(file.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = f"Extension {number}\nDesk"
    slide.notes_slide.notes_text_frame.text = "Said aloud only."
    cells = slide.shapes.add_table(3, 2, Inches(1), Inches(5), Inches(4), Inches(1)).table
    for number, row in enumerate(LIMITS):
        for column, value in enumerate(row):
            cells.cell(number, column).text = value
    document = parsed("w.pptx", saved(file))
    assert document.title == "Welcome day"
    assert [(element.page, element.kind, element.text) for element in document.elements] == [
        (1, "title", "Welcome day"),
        (1, "text", "Extension 0"),
        (1, "text", "Desk"),
        (2, "title", "Numbers to remember"),
        (2, "text", "Said aloud only."),
        (2, "text", "Extension 1"),
        (2, "text", "Desk"),
        (2, "table", LIMIT_LINES),
    ]


def test_xlsx() -> None:
    file = openpyxl.Workbook()
    sheet = file.active
    sheet.title = "Limits"
    remark = "a remark that is longer than what a table of fifty characters would show, " * 3
    for row in (["Zone", "Limit", "Since", "Remark"], ["A", 1250000, "2026-01-31", remark], ["B", 0.125, None, None]):
        sheet.append(row)
    file.create_sheet("Notes").append(["Only one cell"])
    document = parsed("approval-limits.xlsx", saved(file))
    assert document.title == "Approval limits"
    assert [(element.page, element.kind, element.text) for element in document.elements] == [
        (1, "title", "Limits"),
        (1, "table", f"Zone: A; Limit: 1250000; Since: 2026-01-31; Remark: {remark.strip()}\nZone: B; Limit: 0.125"),
        (2, "title", "Notes"),
        (2, "text", "Only one cell"),
    ]


def test_mail() -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Minutes of März", "Bettina <b@x.example>", "all@x.example"
    mail["Date"] = "Thu, 19 Feb 2026 14:12:31 +0100"
    mail.set_content(
        "Dear all,\n\nthe subsidy per meal rises from EUR 3.00 to EUR 3.80 on the first\nof April.\n\n- one\n- two\n"
    )
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="plan.pdf")
    document = parsed("m.eml", bytes(mail))
    assert document.title == "Minutes of März"
    headers = "From: Bettina <b@x.example>\nTo: all@x.example\nDate: Thu, 19 Feb 2026 14:12:31 +0100"
    assert outline(document) == [
        ("title", 1, "Minutes of März"),
        ("text", 0, f"{headers}\nAttachments: plan.pdf"),
        ("text", 0, "Dear all,"),
        ("text", 0, "the subsidy per meal rises from EUR 3.00 to EUR 3.80 on the first of April."),
        ("list", 0, "- one\n- two"),
    ]


def test_mail_with_html_keeps_its_headings_below_the_subject() -> None:
    mail = EmailMessage()
    mail["Subject"] = "News"
    mail.set_content("<h1>Canteen</h1><p>New menu.</p>", subtype="html")
    assert outline(parsed("m.eml", bytes(mail)))[1:] == [("title", 2, "Canteen"), ("text", 0, "New menu.")]


def test_pdf() -> None:
    document = parsed("manual.pdf", manual())
    assert document.title == "Boat manual"
    found = [(element.page, element.kind, element.level) for element in document.elements]
    texts = [element.text for element in document.elements]
    assert found == [
        (1, "title", 1),
        (1, "text", 0),
        (1, "title", 2),
        (1, "list", 0),
        (1, "table", 0),
        (2, "title", 2),
        (2, "text", 0),
        (3, "text", 0),
    ]
    assert texts[1].startswith("The sea does not read manuals. The sea")
    assert "\n" not in texts[1]
    assert texts[3].split("\n")[1].endswith("to the very end of the trip and beyond it, whatever the weather may be.")
    assert texts[4] == f"{LIMIT_LINES}\nZone: C, a cell that takes more than one line; Limit: EUR 185"


def test_pdf_mends_hyphenation() -> None:
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer)
    page.drawString(72, 700, "This sentence holds a hyphen-")
    page.drawString(72, 686, "ated word and North-")
    page.drawString(72, 672, "South traffic.")
    page.save()
    assert parsed("h.pdf", buffer.getvalue()).elements[0].text == (
        "This sentence holds a hyphenated word and North-South traffic."
    )


def test_pdf_in_two_columns_is_no_table() -> None:
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer)
    for start in (72, 320):
        for line in range(20):
            page.drawString(start, 700 - 14 * line, f"Column at {start} has words on line {line}")
    page.save()
    (left, right) = parsed("h.pdf", buffer.getvalue()).elements
    assert (left.kind, right.kind) == ("text", "text")
    assert "at 320" not in left.text


@pytest.mark.parametrize("extension", [".pdf", ".docx", ".pptx", ".xlsx", ".eml"])
@pytest.mark.parametrize(
    "data", [b"PK\x03\x04 this is no archive", b"%PDF-1.7 and nothing else", b"\xd0\xcf\x11\xe0rest"]
)
def test_damaged_files_are_document_errors(extension: str, data: bytes) -> None:
    with pytest.raises(DocumentError, match=f"^broken{extension}.*; expected .*; "):
        parsed(f"broken{extension}", data)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.xyz", b"data", r"a.xyz: the extension '.xyz' is unknown; expected one of .*.csv .doc .*; save"),
        ("README", b"data", "README: the name has no extension"),
        ("a.md", b" \n ", "a.md is empty"),
        ("a.html", b"<html><body></body></html>", "a.html holds no text"),
        (
            "a.eml",
            b"Subject: a\nTo: " + b"a@b.example, " * 20_000,
            "a.eml: the header takes 260,015 bytes; expected at most ingest.max_mail_header_kb = 64",
        ),
        ("a.txt", b"MZ\0\0\1", "a.txt: the file holds zero bytes; expected text"),
    ],
)
def test_what_can_not_be_used_is_one_clear_line(name: str, data: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message) as caught:
        parsed(name, data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("extension", [".docx", ".pptx", ".xlsx"])
def test_a_small_file_that_unpacks_to_a_large_one_is_refused(extension: str) -> None:
    packed = io.BytesIO()
    with (
        ZipFile(packed, "w", ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("word/document.xml", "w") as entry,
    ):
        for _ in range(201):
            entry.write(bytes(1_000_000))
    with pytest.raises(
        DocumentError, match=r"unpacks to 201,000,000 bytes or more; expected at most ingest.max_unpacked_mb = 200"
    ):
        parsed(f"a{extension}", packed.getvalue())


def test_titles_that_say_nothing_are_not_used() -> None:
    for stated in ("Untitled", "PowerPoint Presentation", "Microsoft Word - plan.doc", "Document1", "plan.odt"):
        document = parsed("the-plan.html", f"<title>{stated}</title><p>Text of the plan.</p>")
        assert document.title == "The plan"


def test_extensions_are_read_in_any_case() -> None:
    assert parsed("A.MD", "# Title\n").elements == (Element(kind="title", text="Title", level=1),)


@settings(deadline=None)
@given(data=st.binary(min_size=1, max_size=300), extension=st.sampled_from([*SUPPORTED, ".bin"]))
def test_any_bytes_are_elements_or_a_document_error(data: bytes, extension: str) -> None:
    assert is_document_or_refused(f"a{extension}", data)


@settings(deadline=None)
@given(source=st.text(max_size=200), extension=st.sampled_from([".md", ".txt", ".csv", ".html", ".eml"]))
def test_any_text_is_elements_or_a_document_error(source: str, extension: str) -> None:
    assert is_document_or_refused(f"a{extension}", source.encode(errors="replace"))


def test_threads_get_the_same_as_one_alone() -> None:
    files = [("m.pdf", manual()), ("a.html", b"<h1>One</h1><p>Text here.</p>"), ("a.md", b"# One\n\nText.")] * 6
    alone = [parsed(*file) for file in files]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda file: parsed(*file), files)) == alone


def is_document_or_refused(name: str, data: bytes) -> bool:
    try:
        document = parsed(name, data)
    except DocumentError as error:
        return bool(error.remedy)
    return bool(document.title) and all(element.text.strip() for element in document.elements)


def saved(file: docx.document.Document | pptx.presentation.Presentation | openpyxl.Workbook) -> bytes:
    buffer = io.BytesIO()
    file.save(buffer)
    return buffer.getvalue()


def manual() -> bytes:
    """Three pages with a running line, a heading of two levels, a list and a table."""
    styles, buffer = getSampleStyleSheet(), io.BytesIO()
    cell = Paragraph("C, a cell that takes more than one line", styles["Normal"])
    table = Table([*LIMITS, [cell, "EUR 185"]], colWidths=[110, 200])
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")]))
    bullet = "The shore contact has no other task, from the first hour to the very end of the trip and beyond it, "
    story = [
        Paragraph("Boat manual", styles["Title"]),
        Paragraph("The sea does not read manuals. " * 8, styles["Normal"]),
        Paragraph("1 Who does what", styles["Heading2"]),
        Paragraph("The skipper decides.", styles["Normal"], bulletText="•"),
        Paragraph(bullet + "whatever the weather may be.", styles["Bullet"], bulletText="•"),
        table,
        PageBreak(),
        Paragraph("2 Weather", styles["Heading2"]),
        Paragraph("The forecast is read at six.", styles["Normal"]),
        PageBreak(),
        Paragraph("The end.", styles["Normal"]),
    ]
    SimpleDocTemplate(buffer, pagesize=A4).build(story, onFirstPage=running_line, onLaterPages=running_line)
    return buffer.getvalue()


def running_line(page: canvas.Canvas, template: SimpleDocTemplate) -> None:
    page.drawString(72, 30, f"Tideway Instruments, page {template.page}")
