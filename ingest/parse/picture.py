"""A page of a document as a picture, with places marked on it: what a citation points at."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ingest.parse.fragments import enclosing
from ingest.parse.image import frame, opened_image, pages_of
from ingest.parse.options import DEFAULTS, PICTURE_SIDE, Options
from ingest.parse.pdf import PDFIUM, opened, rendered
from rag.errors import DocumentError
from rag.types import Box

if TYPE_CHECKING:
    from PIL.Image import Image

_SCALE = 2.0  # pixels a point
_AROUND = 0.12  # of the page's height, above and below what is marked
_MARGIN = 2  # points around what is marked
_MARK = (255, 200, 0, 70)
_EDGE = (190, 190, 190, 255)
_RIM = (220, 120, 0, 255)


def page_picture(
    data: bytes, page: int, boxes: Sequence[Box], *, options: Options = DEFAULTS, is_part: bool = False
) -> bytes:
    """Page `page` (from 1) of a PDF or picture as a PNG of at most 2,000 pixels a side, the boxes of elements marked.

    With `is_part`, from a little above the boxes to a little below them. Raises DocumentError for a page that is not
    there, and for what parse() refuses.
    """
    is_pdf = b"%PDF-" in data[:1024]
    picture, scale = _pdf_page(data, page, options) if is_pdf else _image_page(data, page, options)
    marked = _marked(picture, boxes, scale)
    buffer = io.BytesIO()
    (_around(marked, boxes, scale) if is_part and boxes else marked).save(buffer, format="PNG")
    return buffer.getvalue()


def _around(picture: Image, boxes: Sequence[Box], scale: float) -> Image:
    _, bottom, _, top = enclosing(boxes)
    margin = picture.height * _AROUND
    upper = min(max(int(picture.height - top * scale - margin), 0), picture.height - 1)
    lower = min(max(int(picture.height - bottom * scale + margin), upper + 1), picture.height)
    return picture.crop((0, upper, picture.width, lower))


def _pdf_page(data: bytes, number: int, options: Options) -> tuple[Image, float]:
    with PDFIUM:
        document = opened(data, options)
        try:
            _refuse_absent(number, len(document))
            page = document[number - 1]
            scale = min(_SCALE, PICTURE_SIDE / max(*page.get_size(), 1.0))
            return rendered(page, scale), scale
        finally:
            document.close()


def _image_page(data: bytes, number: int, options: Options) -> tuple[Image, float]:
    with opened_image(data) as image:
        _refuse_absent(number, pages_of(image))
        picture: Image = frame(image, number, options)
    width = picture.width
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    return picture, picture.width / width


def _refuse_absent(number: int, pages: int) -> None:
    if not 1 <= number <= pages:
        raise DocumentError(f"there is no page {number}", expected=f"1 to {pages}", remedy="name one of these")


def _marked(picture: Image, boxes: Sequence[Box], scale: float) -> Image:
    from PIL import Image, ImageDraw

    marks = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(marks)
    # A white page on a white background would have no edge.
    draw.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=_EDGE)
    for left, bottom, right, top in boxes:
        x0, y0, x1, y1 = (scale * side for side in (left - _MARGIN, top + _MARGIN, right + _MARGIN, bottom - _MARGIN))
        corners = (x0, picture.height - y0, x1, picture.height - y1)
        draw.rectangle(corners, fill=_MARK, outline=_RIM, width=2)
    return Image.alpha_composite(picture.convert("RGBA"), marks).convert("RGB")
