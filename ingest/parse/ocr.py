"""Text recognition (OCR): a picture -> its lines with their places, by the models in the package rapidocr."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ingest.parse.fragments import Fragment
from ingest.parse.options import Options
from ingest.parse.reading import in_reading_order
from rag.errors import DocumentError

if TYPE_CHECKING:
    from PIL.Image import Image

INSTALL = "pip install 'plumbline-rag[ocr]' to have the text in pictures recognised"
_LONGEST_SIDE = 3000  # pixels: memory and time of a picture end here
_LEAST_SCORE = 0.5  # of a line: less sure ones are mostly drawings
_ALIKE = 0.25  # heights of lines differ by so much in type of one size
_UPRIGHT = 1.5  # times as high as wide: a line that reads upwards or downwards
_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}


class NeedsOcr(DocumentError):
    """The text of a document stands in pictures, and the extra `ocr` is not installed."""


# The engine keeps the state of one picture.
_ONE_AT_A_TIME = threading.Lock()


def is_installed() -> bool:
    """Whether the extra `ocr` is there."""
    return find_spec("rapidocr") is not None


def refuse_many(pictures: int, options: Options) -> None:
    """Raise DocumentError when a document has more pictures of text than may be recognised."""
    if pictures > options.max_ocr_pages:
        raise DocumentError(
            f"it has more than {options.max_ocr_pages:,} pages whose text has to be recognised",
            expected=f"at most ingest.max_ocr_pages = {options.max_ocr_pages:,}",
            remedy="split the file, or raise the limit",
        )


def recognised(picture: Image, *, page: int, scale: float = 1.0) -> list[Fragment]:
    """The lines of a picture in reading order, `scale` being its pixels a point.

    Raises NeedsOcr when the extra is missing.
    """
    if not is_installed():
        raise NeedsOcr("it is a picture", expected="the extra 'ocr'", remedy=INSTALL)
    small = picture.convert("RGB")
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    scale *= small.width / picture.width
    lines = [_line(text, corners, page, small.height, scale) for text, corners in _lines(small)]
    upright = _evened([line for line in lines if not _is_vertical(line)])
    # Vertical text is read from right to left; beside text of the other kind it is a stamp at the margin.
    vertical = sorted((line for line in lines if _is_vertical(line)), key=lambda line: -line.right)
    return [*in_reading_order(upright), *(replace(line, size=_usual(upright or vertical)) for line in vertical)]


def _lines(picture: Image) -> list[tuple[str, Any]]:
    import numpy as np

    pixels = np.asarray(picture)[:, :, ::-1]  # the models were trained on blue, green, red
    with _ONE_AT_A_TIME:
        found = _engine()(pixels)
    if found.boxes is None or not found.txts:
        return []
    return [(text.strip(), corners) for text, corners in zip(found.txts, found.boxes, strict=True) if text.strip()]


@cache
def _engine() -> Any:
    """The recognition engine on the models of the package: named by path, so that none is looked for elsewhere."""
    import rapidocr

    folder = Path(rapidocr.__file__).parent / "models"
    parts = {f"{part}.model_path": str(folder / name) for part, name in _MODELS.items()}
    engines = {f"{part}.engine_type": rapidocr.EngineType.OPENVINO for part in _MODELS}
    limits = {"Global.max_side_len": _LONGEST_SIDE, "Global.text_score": _LEAST_SCORE, "Global.log_level": "critical"}
    return rapidocr.RapidOCR(params={**parts, **engines, **limits})


def _line(text: str, corners: Any, page: int, height: int, scale: float) -> Fragment:
    left, right = (float(side(corners[:, 0])) / scale for side in (min, max))
    bottom, top = ((height - float(side(corners[:, 1]))) / scale for side in (max, min))
    return Fragment(
        text=text,
        page=page,
        left=left,
        right=right,
        bottom=bottom,
        top=top,
        size=min(top - bottom, right - left),
        bold=False,
        box=(left, bottom, right, top),
    )


def _is_vertical(line: Fragment) -> bool:
    return len(line.text) > 2 and line.top - line.bottom > _UPRIGHT * (line.right - line.left)


def _evened(lines: list[Fragment]) -> list[Fragment]:
    """The lines with one size for those that are nearly alike: how high one looks depends on its letters."""
    usual = _usual(lines)
    return [replace(line, size=usual) if abs(line.size - usual) < _ALIKE * usual else line for line in lines]


def _usual(lines: list[Fragment]) -> float:
    return median([line.size for line in lines]) if lines else 0.0
