"""How much a document may hold, and how much of that is left."""

from __future__ import annotations

from dataclasses import dataclass

from rag.errors import DocumentError
from rag.sections import Ingest


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what is packed in a document: an office file, an archive, a mail with attachments."""

    unpacked_bytes: int = 200_000_000
    archive_files: int = 10_000
    archive_depth: int = 3

    @classmethod
    def from_settings(cls, options: Ingest) -> Limits:
        """The limits that the settings name."""
        return cls(
            unpacked_bytes=options.max_unpacked_mb * 1_000_000,
            archive_files=options.max_archive_files,
            archive_depth=options.max_archive_depth,
        )


class Exhausted(DocumentError):
    """A document holds more than the limits allow; what is packed around it is refused with it."""


class Allowance:
    """What is left of the limits for a document and all that is packed in it, however deep."""

    def __init__(self, limits: Limits) -> None:
        """Nothing is taken yet."""
        self.limits = limits
        self._bytes = 0
        self._files = 0

    def take_bytes(self, count: int) -> None:
        """Count unpacked bytes; raises Exhausted when they are too many."""
        self._bytes += count
        if self._bytes > self.limits.unpacked_bytes:
            raise Exhausted(
                f"it unpacks to {self._bytes:,} bytes or more",
                expected=f"at most ingest.max_unpacked_mb = {self.limits.unpacked_bytes / 1e6:,.0f}",
                remedy="remove large pictures, split it, or raise the limit",
            )

    def take_files(self, count: int) -> None:
        """Count files found in archives and mails; raises Exhausted when they are too many."""
        self._files += count
        if self._files > self.limits.archive_files:
            raise Exhausted(
                f"it holds {self._files:,} files or more",
                expected=f"at most ingest.max_archive_files = {self.limits.archive_files:,}",
                remedy="split it, or raise the limit",
            )
