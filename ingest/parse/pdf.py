"""PDF through pdfium, page by page: the text layer, or what text recognition reads where there is none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest.parse.elements import Parsed
from ingest.parse.fragments import Fragment
from ingest.parse.layout import SAMPLE_PAGES, elements_of
from ingest.parse.ocr import INSTALL, NeedsOcr, is_installed, recognised, refuse_many
from ingest.parse.options import DEFAULTS, Options
from ingest.parse.pdf_page import fragments_of, is_scan
from rag.errors import DocumentError

if TYPE_CHECKING:
    from PIL.Image import Image

# pdfium is not made for several threads at once. The thread that holds this may be the one that
# collects an abandoned document, and closes it.
PDFIUM = threading.RLock()
_OCR_SCALE = 2.0  # pixels a point: finer ones took as long and were read no better

log = logging.getLogger("plumbline")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """The text of a page; `picture`, of `scale` pixels a point, where its text has to be recognised."""

    number: int
    fragments: list[Fragment]
    is_scan: bool
    picture: Image | None
    scale: float


class Locked(DocumentError):
    """An encrypted document that no password opened; which ones are set is no setting that a run could compare."""


def parse_pdf(data: bytes, options: Options = DEFAULTS, *, name: str = "a PDF") -> Parsed:
    """The text of a PDF with page numbers; headings, lists and tables are recognised by their layout.

    Raises DocumentError, at once or while the elements are read, for a file that is encrypted, damaged or too long,
    and where most pages are pictures and the extra `ocr` is not installed.
    """
    with PDFIUM:
        document = opened(data, options)
        title = document.get_metadata_value("Title")
    return Parsed(title=title.strip(), elements=elements_of(_texts(document, options, name)))


def opened(data: bytes, options: Options) -> Any:
    """The document, by the first of the passwords that opens it; for a caller that holds PDFIUM, and closes it."""
    import pypdfium2

    for password in (None, *options.passwords):
        try:
            return _bounded(pypdfium2.PdfDocument(data, password=password), options)
        except pypdfium2.PdfiumError as error:
            if "password" not in str(error).lower():
                raise _damaged(error) from None
    raise Locked(
        "it is encrypted, and no password that is set opens it" if options.passwords else "it is encrypted",
        expected="a PDF that opens without a password, or with one that is set",
        remedy="put its password into the variable that ingest.password_env names, or save it without one",
    )


def _bounded(document: Any, options: Options) -> Any:
    if len(document) > options.max_pages:
        raise DocumentError(
            f"it has {len(document):,} pages",
            expected=f"at most ingest.max_pages = {options.max_pages:,}",
            remedy="split the file, or raise the limit",
        )
    return document


def _damaged(error: Exception, *, where: str = ", or no PDF") -> DocumentError:
    return DocumentError(
        f"damaged{where}: {error}", expected="an intact PDF", remedy="open it in a viewer and save it anew"
    )


def _texts(document: Any, options: Options, name: str) -> Iterator[list[Fragment]]:
    """The pieces of each page in reading order."""
    scans, sampled = 0, min(len(document), SAMPLE_PAGES)
    for page in _pages(document, options):
        scans += page.is_scan
        if page.picture:
            refuse_many(scans, options)
            yield recognised(page.picture, page=page.number, scale=page.scale)
            continue
        if page.number == sampled and scans > sampled / 2 and not is_installed():
            pages = f"{sampled} pages" if sampled == len(document) else f"first {sampled} pages"
            raise NeedsOcr(
                f"{scans} of its {pages} are pictures without text",
                expected="a PDF with a text layer, or the extra 'ocr'",
                remedy=INSTALL,
            )
        yield page.fragments
    if scans and not is_installed():
        log.warning(
            "%s: %d of its pages are pictures without text and were left out; the extra 'ocr' reads them", name, scans
        )


def _pages(document: Any, options: Options) -> Iterator[_Page]:
    """Each page, read under the lock; closes the document at the end."""
    try:
        for index in range(len(document)):
            with PDFIUM:
                page = _page(document, index, options)
            yield page
    finally:
        with PDFIUM:
            document.close()


def _page(document: Any, index: int, options: Options) -> _Page:
    import pypdfium2

    try:
        page = document[index]
        text = page.get_textpage()
    except pypdfium2.PdfiumError as error:
        raise _damaged(error, where=f" at page {index + 1}") from None
    try:
        fragments, scan = fragments_of(page, text, index + 1, most=options.max_page_chars), is_scan(page, text)
        scale = scale_within(page.get_size(), _OCR_SCALE, options.max_image_megapixels)
        picture = rendered(page, scale) if scan and is_installed() else None
    finally:
        text.close()
        page.close()
    return _Page(number=index + 1, fragments=fragments, is_scan=scan, picture=picture, scale=scale)


def scale_within(size: tuple[float, float], scale: float, megapixels: int) -> float:
    """Pixels a point: `scale`, or less for a page that would have more than so many megapixels."""
    return float(min(scale, (megapixels * 1e6 / max(size[0] * size[1], 1.0)) ** 0.5))


def rendered(page: Any, scale: float) -> Image:
    """The page as it is shown, for a caller that holds PDFIUM."""
    bitmap = page.render(scale=scale)
    try:
        picture: Image = bitmap.to_pil().convert("RGB")
    finally:
        bitmap.close()
    return picture
