"""PDFs: long, turned, locked, damaged ones; where elements stand, and the picture of a page that shows it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from itertools import islice, zip_longest
from pathlib import Path

import pytest
from PIL import Image
from reportlab.pdfgen import canvas

from ingest.parse import Element, Options, Parsed, parse
from ingest.parse.picture import page_picture
from rag.errors import DocumentError
from rag.settings import Ingest, load_settings, shown

PASSWORD = "correct horse"
Draw = Callable[[canvas.Canvas, int], None]


def pdf(draw: Draw, *, pages: int = 1, encrypt: str | None = None) -> bytes:
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=(600, 800), pageCompression=0, encrypt=encrypt)
    for number in range(1, pages + 1):
        draw(page, number)
        page.showPage()
    page.save()
    return buffer.getvalue()


def chapter(page: canvas.Canvas, number: int) -> None:
    page.setFont("Helvetica-Bold", 16)
    page.drawString(72, 740, f"Chapter {number}")
    page.setFont("Helvetica", 10)
    page.drawString(72, 600, f"Number {number} says that the sea does not read manuals.")
    page.drawString(72, 30, f"Boat manual, page {number}")


def elements(data: bytes, options: Options | None = None) -> list[Element]:
    return list(opened(data, options).elements)


def opened(data: bytes, options: Options | None = None) -> Parsed:
    return parse(Path("a.pdf"), data, options=options or Options())


def test_running_lines_and_headings_of_a_long_document_are_judged_by_its_first_pages() -> None:
    found = elements(pdf(chapter, pages=130))
    assert len(found) == 260
    assert {(element.kind, element.level) for element in found} == {("title", 1), ("text", 0)}
    assert (found[-1].page, found[-1].text) == (130, "Number 130 says that the sea does not read manuals.")


def test_a_page_that_is_damaged_is_met_when_it_is_reached() -> None:
    data = bytearray(pdf(chapter, pages=130))
    place = list(re.finditer(rb"/Type /Page\b(?!s)", data))[119].start()
    data[place : place + 11] = b"/Type /Gone"
    document = iter(opened(bytes(data)).elements)
    assert [element.page for element in islice(document, 236)][-1] == 118
    with pytest.raises(DocumentError, match=r"a\.pdf: damaged at page 120"):
        list(document)


def test_documents_are_read_side_by_side_and_may_be_left() -> None:
    data = pdf(chapter, pages=130)
    together = zip_longest(opened(data).elements, opened(data).elements)
    assert all(one == other for one, other in together)
    for _ in range(20):
        next(iter(opened(data).elements))


def test_too_many_pages_are_refused() -> None:
    with pytest.raises(DocumentError, match=r"it has 3 pages; expected at most ingest.max_pages = 2; "):
        elements(pdf(chapter, pages=3), Options(max_pages=2))


def test_a_page_with_too_much_text_is_refused() -> None:
    with pytest.raises(
        DocumentError, match=r"page 1 holds \d+ characters; expected at most ingest.max_page_chars = 50"
    ):
        elements(pdf(chapter), Options(max_page_chars=50))


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
@pytest.mark.parametrize("upright", [True, False])
def test_text_is_read_whichever_way_page_and_text_are_turned(turned: int, upright: bool) -> None:
    def draw(page: canvas.Canvas, number: int) -> None:
        page.setPageRotation(turned)
        page.translate(300, 400)
        page.rotate(turned if upright else 0)
        for line in range(4):
            page.drawString(-100, 40 - 14 * line, f"line {line} of it has some words")

    (found,) = elements(pdf(draw))
    assert found.text == " ".join(f"line {line} of it has some words" for line in range(4))
    assert found.box is not None
    assert is_dark(page_picture(pdf(draw), 1, ()), found.box)


def is_dark(picture: bytes, box: tuple[float, float, float, float]) -> bool:
    """Whether all that is drawn on the page of two pixels a point lies in the box."""
    image = Image.open(io.BytesIO(picture)).convert("L").point(lambda value: 255 if value < 128 else 0)
    left, bottom, right, top = (2 * side for side in box)
    drawn = image.getbbox()
    assert drawn
    inside = (left, image.height - top, right, image.height - bottom)
    return (
        drawn[0] >= inside[0] - 2
        and drawn[1] >= inside[1] - 2
        and drawn[2] <= inside[2] + 2
        and drawn[3] <= inside[3] + 2
    )


def test_boxes_follow_the_part_of_the_page_that_is_shown() -> None:
    def draw(page: canvas.Canvas, number: int) -> None:
        page.setCropBox((50, 50, 550, 750))
        page.drawString(150, 450, "A line on a page whose margins are cut off.")

    (found,) = elements(pdf(draw))
    assert found.box is not None
    assert found.box[0] == pytest.approx(100)
    assert found.box[1] < 400 < found.box[3]


def test_an_element_s_box_is_that_of_its_first_page() -> None:
    def draw(page: canvas.Canvas, number: int) -> None:
        page.drawString(
            72, 700 if number == 2 else 100, "and the sentence goes on" if number == 2 else "It begins here"
        )

    (found,) = elements(pdf(draw, pages=2))
    assert found.text == "It begins here and the sentence goes on"
    assert found.page == 1
    assert found.box is not None
    assert found.box[3] == pytest.approx(110, abs=3)


def test_a_stamp_at_the_margin_is_no_heading_and_comes_last() -> None:
    def draw(page: canvas.Canvas, number: int) -> None:
        page.setFont("Helvetica-Bold", 20)
        page.saveState()
        page.translate(30, 300)
        page.rotate(90)
        page.drawString(0, 0, "arXiv:2103.15348v2")
        page.restoreState()
        chapter(page, number)

    assert [(element.kind, element.text) for element in elements(pdf(draw))][-1] == ("text", "arXiv:2103.15348v2")


def test_raised_letters_stay_in_their_line() -> None:
    def draw(page: canvas.Canvas, number: int) -> None:
        page.drawString(72, 700, "The area is 20 m")
        page.setFont("Helvetica", 7)
        page.drawString(159, 704, "2")
        page.setFont("Helvetica", 12)
        page.drawString(164, 700, "or a little less.")

    (found,) = elements(pdf(draw))
    assert found.text == "The area is 20 m2 or a little less."


def test_a_locked_document_opens_with_one_of_the_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDF_PASSWORDS", f"wrong\n\n{PASSWORD}\n")
    options = Options.from_settings(Ingest())
    found = elements(pdf(chapter, encrypt=PASSWORD), options)
    assert found[0].text == "Chapter 1"
    assert page_picture(pdf(chapter, encrypt=PASSWORD), 1, (), options=options).startswith(b"\x89PNG")


@pytest.mark.parametrize("passwords", [(), ("wrong-secret", "other-secret")])
def test_passwords_are_told_to_nobody(passwords: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    options = Options(passwords=passwords)
    with pytest.raises(DocumentError, match=r"a\.pdf: it is encrypted.*; put its password into the variable") as caught:
        elements(pdf(chapter, encrypt=PASSWORD), options)
    assert "secret" not in f"{caught.value} {caught.value.__cause__!r} {options!r} {caplog.text}"


def test_settings_show_that_passwords_are_set_but_not_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDF_PASSWORDS", PASSWORD)
    settings = load_settings()
    assert shown(settings)["ingest"]["password_env"] == "PDF_PASSWORDS (set)"
    assert PASSWORD not in settings.model_dump_json()


def test_the_picture_of_a_page_has_its_boxes_marked() -> None:
    data = pdf(chapter, pages=2)
    (heading, *_) = (element for element in elements(data) if element.page == 2)
    assert heading.box is not None
    marked, bare = (Image.open(io.BytesIO(page_picture(data, 2, boxes))) for boxes in ((heading.box,), ()))
    assert marked.size == (1200, 1600)
    left, _, _, top = heading.box
    corner = (int(2 * left) + 1, int(1600 - 2 * top) + 6)
    assert marked.getpixel(corner) != bare.getpixel(corner)
    assert marked.getpixel((5, 5)) == bare.getpixel((5, 5)) == (255, 255, 255)


def test_the_picture_of_a_large_page_is_bounded() -> None:
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=(14_000, 7_000))
    page.drawString(72, 700, "A plan")
    page.save()
    assert Image.open(io.BytesIO(page_picture(buffer.getvalue(), 1, ()))).size == (2000, 1000)


@pytest.mark.parametrize("number", [0, 3])
def test_a_page_that_is_not_there(number: int) -> None:
    with pytest.raises(DocumentError, match=f"no page {number}; expected 1 to 2"):
        page_picture(pdf(chapter, pages=2), number, ())
