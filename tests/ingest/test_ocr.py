"""Pictures and scans: what is recognised with the extra, and what is said without it."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas

from ingest.parse import Element, Options, parse
from ingest.parse.picture import page_picture
from rag.errors import DocumentError

# What the recognition engine itself does, of which users see nothing.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LINES = ("The skipper decides about the weather,", "and the shore contact has no other task.")


@pytest.fixture
def without_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)


def drawing(*lines: str, mode: str = "RGB", size: tuple[int, int] = (900, 300)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((60, 60 + 45 * number), line, fill="black", font=ImageFont.load_default(28))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, *more: Image.Image) -> bytes:
    buffer = io.BytesIO()
    if more:
        image.save(buffer, format=kind, save_all=True, append_images=more)
    else:
        image.save(buffer, format=kind)
    return buffer.getvalue()


def scan(*pages: Image.Image | str) -> bytes:
    """A PDF whose pages are pictures or one line of text."""
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=(450, 150))
    for content in pages:
        if isinstance(content, str):
            page.drawString(30, 100, content)
        else:
            page.drawImage(ImageReader(content), 0, 0, 450, 150)
        page.showPage()
    page.save()
    return buffer.getvalue()


def elements(name: str, data: bytes, options: Options | None = None) -> list[Element]:
    return list(parse(Path(name), data, options=options or Options()).elements)


@pytest.mark.parametrize(
    ("name", "kind", "mode"),
    [
        ("a.png", "PNG", "RGB"),
        ("a.png", "PNG", "P"),
        ("a.PNG", "PNG", "RGBA"),
        ("a.jpg", "JPEG", "CMYK"),
        ("a.jpeg", "JPEG", "L"),
        ("a.tif", "TIFF", "1"),
        ("a.tiff", "TIFF", "I;16"),
        ("a.bmp", "BMP", "RGB"),
        ("a.webp", "WEBP", "RGB"),
    ],
)
def test_pictures_are_read(name: str, kind: str, mode: str) -> None:
    image = drawing(*LINES)
    (found,) = elements(name, saved(image.convert("I;16") if mode == "I;16" else image.convert(mode), kind))
    assert (found.kind, found.page, found.text) == ("text", 1, " ".join(LINES))


def test_black_letters_on_nothing_are_read() -> None:
    image = drawing(LINES[0]).convert("L")
    image = Image.merge("LA", (Image.new("L", image.size, 0), image.point(lambda value: 255 - value)))
    assert elements("a.png", saved(image, "PNG"))[0].text == LINES[0]


def test_boxes_are_places_on_the_picture() -> None:
    image = drawing(LINES[0])
    (found,) = elements("a.png", saved(image, "PNG"))
    assert found.box is not None
    left, bottom, right, top = found.box
    assert (left, top) == (pytest.approx(60, abs=12), pytest.approx(300 - 60, abs=12))
    marked = Image.open(io.BytesIO(page_picture(saved(image, "PNG"), 1, [found.box])))
    assert marked.size == image.size
    assert marked.getpixel((int(left) + 4, int(300 - top) + 4)) != (255, 255, 255)
    assert right > left + 300
    assert bottom < top


def test_a_picture_that_its_camera_turned_is_set_upright() -> None:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter clockwise
    drawing(*LINES).transpose(Image.Transpose.ROTATE_90).save(buffer, format="JPEG", exif=exif)
    assert elements("a.jpg", buffer.getvalue())[0].text == " ".join(LINES)


def test_each_picture_of_a_tiff_is_a_page() -> None:
    found = elements("a.tiff", saved(drawing(LINES[0]), "TIFF", drawing(LINES[1])))
    assert [(element.page, element.text) for element in found] == [(1, LINES[0]), (2, LINES[1])]


def test_columns_are_read_one_after_the_other() -> None:
    image = Image.new("RGB", (1300, 700), "white")
    for column, word in enumerate(("left", "right")):
        for line in range(10):
            text = f"The {word} column has words on line {line}"
            place = (60 + 620 * column, 60 + 45 * line + 7 * column)
            ImageDraw.Draw(image).text(place, text, fill="black", font=ImageFont.load_default(26))
    text = " ".join(element.text for element in elements("a.png", saved(image, "PNG")))
    assert text.index("left column has words on line 9") < text.index("right column has words on line 0")


def test_scanned_pages_of_a_pdf_are_read_where_they_are() -> None:
    found = elements("a.pdf", scan(drawing(LINES[0]), "A page with its own text.", drawing(LINES[1])))
    assert [(element.page, element.text) for element in found] == [
        (1, LINES[0]),
        (2, "A page with its own text."),
        (3, LINES[1]),
    ]
    assert found[0].box is not None
    assert found[0].box[0] == pytest.approx(30, abs=6)


def test_a_drawing_without_words_holds_no_text() -> None:
    with pytest.raises(DocumentError, match=r"a\.png holds no text"):
        elements("a.png", saved(Image.new("RGB", (300, 200), "grey"), "PNG"))


def test_pages_to_recognise_are_bounded() -> None:
    two = (drawing(LINES[0]), drawing(LINES[1]))
    for name, data in (("a.pdf", scan(*two)), ("a.tiff", saved(two[0], "TIFF", two[1]))):
        with pytest.raises(DocumentError, match=r"expected at most ingest.max_ocr_pages = 1; "):
            elements(name, data, Options(max_ocr_pages=1))


@pytest.mark.usefixtures("without_ocr")
@pytest.mark.parametrize(
    ("name", "data"), [("a.pdf", scan(drawing(LINES[0]))), ("a.png", saved(drawing(LINES[0]), "PNG"))]
)
def test_without_the_extra_one_line_names_it(name: str, data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"picture.*; pip install 'plumbline-rag\[ocr\]'") as caught:
        elements(name, data)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("without_ocr")
def test_without_the_extra_a_picture_among_pages_of_text_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    found = elements("a.pdf", scan(drawing(), "A page with text.", "And one more."))
    assert [element.page for element in found] == [2, 3]
    assert (
        "a.pdf: 1 of its pages are pictures without text and were left out; the extra 'ocr' reads them" in caplog.text
    )


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_too_many_pixels_are_refused_before_they_are_read(kind: str) -> None:
    with pytest.raises(DocumentError, match=r"1,500 x 1,000 pixels; expected at most ingest.max_image_megapixels = 1"):
        elements(f"a.{kind.lower()}", saved(Image.new("1", (1500, 1000)), kind), Options(max_image_megapixels=1))


def test_a_decompression_bomb_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"a\.png: .*; "):
        elements("a.png", saved(Image.new("1", (20_000, 20_000)), "PNG"))


@pytest.mark.parametrize("data", [b"no picture at all", saved(drawing(), "GIF"), saved(drawing(), "PNG")[:200]])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^a\.png.*; expected .*; "):
        elements("a.png", data)
