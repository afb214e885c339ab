"""Pictures of text: PNG, JPEG, TIFF (each of its pictures a page), BMP and WEBP."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

from ingest.parse.elements import Parsed
from ingest.parse.fragments import Fragment
from ingest.parse.layout import elements_of
from ingest.parse.ocr import recognised, refuse_many
from ingest.parse.options import DEFAULTS, Options
from rag.errors import DocumentError

_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")


def parse_image(data: bytes, options: Options = DEFAULTS) -> Parsed:
    """The text in a picture; a pixel counts as a point.

    Raises DocumentError, at once or while the elements are read, for too many pixels or pages, for what is no picture,
    and when the extra `ocr` is missing.
    """
    return Parsed(title="", elements=elements_of(_texts(data, options)))


def _texts(data: bytes, options: Options) -> Iterator[list[Fragment]]:
    with opened_image(data) as image:
        for number in range(1, pages_of(image) + 1):
            refuse_many(number, options)
            yield recognised(frame(image, number, options), page=number)


def opened_image(data: bytes) -> Any:
    """The picture, its pixels not yet read; raises DocumentError for one of another format."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # frame() has a limit of its own, and refuses instead of warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise DocumentError(
            "it is no picture of these formats", expected=" ".join(_FORMATS), remedy="save it as one of them"
        ) from None
    except Image.DecompressionBombError as error:
        raise DocumentError(str(error), expected="a smaller picture", remedy="scale it down, or split it") from None


def pages_of(image: Any) -> int:
    """How many pages it has: of what moves, only the first picture counts."""
    return int(image.n_frames) if image.format == "TIFF" else 1


def frame(image: Any, number: int, options: Options) -> Any:
    """One page of it in colour, upright; raises DocumentError for too many pixels, before they are read."""
    from PIL import ImageOps

    image.seek(number - 1)
    if image.width * image.height > options.max_image_megapixels * 1e6:
        raise DocumentError(
            f"it has {image.width:,} x {image.height:,} pixels",
            expected=f"at most ingest.max_image_megapixels = {options.max_image_megapixels}",
            remedy="scale it down, or raise the limit",
        )
    return ImageOps.exif_transpose(_opaque(image))


def _opaque(image: Any) -> Any:
    """On white where it is transparent: black letters on nothing would be black on black."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    pixels = image.convert("RGBA")
    paper = Image.new("RGBA", pixels.size, "white")
    return Image.alpha_composite(paper, pixels).convert("RGB")
