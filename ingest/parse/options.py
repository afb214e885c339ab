"""What parsers may use, and how far they go."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.sections import Ingest
from rag.settings import secret

# The longest side of the picture of a page, in pixels.
PICTURE_SIDE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Limits that hold for one document with all that is packed in it, and the passwords to try on an encrypted one."""

    passwords: tuple[str, ...] = field(default=(), repr=False)
    unpacked_bytes: int = 200_000_000
    archive_files: int = 10_000
    archive_depth: int = 3
    header_bytes: int = 64_000
    max_pages: int = 10_000
    max_page_chars: int = 500_000
    max_ocr_pages: int = 500
    max_image_megapixels: int = 50

    @classmethod
    def from_settings(cls, settings: Ingest) -> Options:
        """The options that the settings name; passwords stand one a line in the variable `password_env`."""
        return cls(
            passwords=tuple(filter(None, secret(settings.password_env).splitlines())),
            unpacked_bytes=settings.max_unpacked_mb * 1_000_000,
            archive_files=settings.max_archive_files,
            archive_depth=settings.max_archive_depth,
            header_bytes=settings.max_mail_header_kb * 1000,
            max_pages=settings.max_pages,
            max_page_chars=settings.max_page_chars,
            max_ocr_pages=settings.max_ocr_pages,
            max_image_megapixels=settings.max_image_megapixels,
        )


DEFAULTS = Options()
