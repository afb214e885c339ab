"""How much of its limits a document has left."""

from __future__ import annotations

from ingest.parse.options import Options
from rag.errors import DocumentError


class Exhausted(DocumentError):
    """A document holds more than the limits allow; what is packed around it is refused with it."""


class Allowance:
    """What is left of the limits for a document and all that is packed in it, however deep."""

    def __init__(self, options: Options) -> None:
        """Nothing is taken yet."""
        self.options = options
        self._bytes = 0
        self._files = 0

    def take_bytes(self, count: int) -> None:
        """Count unpacked bytes; raises Exhausted when they are too many."""
        self._bytes += count
        if self._bytes > self.options.unpacked_bytes:
            raise Exhausted(
                f"it unpacks to {self._bytes:,} bytes or more",
                expected=f"at most ingest.max_unpacked_mb = {self.options.unpacked_bytes / 1e6:,.0f}",
                remedy="remove large pictures, split it, or raise the limit",
            )

    def take_files(self, count: int) -> None:
        """Count files found in archives and mails; raises Exhausted when they are too many."""
        self._files += count
        if self._files > self.options.archive_files:
            raise Exhausted(
                f"it holds {self._files:,} files or more",
                expected=f"at most ingest.max_archive_files = {self.options.archive_files:,}",
                remedy="split it, or raise the limit",
            )
